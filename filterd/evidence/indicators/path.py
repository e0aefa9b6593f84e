"""I1, I2, I2b, I3: is everyone behind the filter, and is the filter on?"""

from __future__ import annotations

from dataclasses import replace

from filterd.evidence.indicators.facts import Facts, Indicator, Verdict, grade, unmeasured
from filterd.evidence.method import Method
from filterd.evidence.records import Summary, TimeFact


def exposure(facts: Facts, method: Method) -> Indicator:
    """I1: 1 − exposed ÷ online, in seconds of the service calendar.

    Online is only what telemetry proves (enforcing + exposed). Too little telemetry: unmeasured,
    unless what is known already fails.
    """
    times = [_within_service(day) for day in facts.days]
    service = sum(time["service_s"] for time in times)
    exposed = sum(time["exposed_s"] for time in times)
    enforcing = sum(time["enforcing_s"] for time in times)
    offline = sum(time["offline_s"] for time in times)
    if service == 0:
        return unmeasured(method, "I1", "no_service_time")
    parts = {
        "exposed_s": exposed,
        "enforcing_s": enforcing,
        "offline_s": offline,
        "service_s": service,
        "unproven_s": service - exposed - enforcing - offline,
        "uptime_bp": enforcing * 10_000 // service,
    }
    known = grade(method, "I1", enforcing, enforcing + exposed, parts)
    proven = (exposed + enforcing + offline) * 10_000 >= method.telemetry_min * service
    if known.verdict is Verdict.FAIL or (proven and known.measurable):
        return known
    reason = "telemetry_missing" if not proven else "never_online"
    return replace(unmeasured(method, "I1", reason, service), parts=parts)


def _within_service(day: Summary) -> TimeFact:
    """The day's times with their sum cut to the service time; exposure is cut last.

    A clock set back lets a day be lived twice: the surplus may not turn into uptime.
    """
    time = day["time"]
    room = time["service_s"]
    exposed = min(time["exposed_s"], room)
    enforcing = min(time["enforcing_s"], room - exposed)
    offline = min(time["offline_s"], room - exposed - enforcing)
    return {**time, "exposed_s": exposed, "enforcing_s": enforcing, "offline_s": offline}


def coverage(facts: Facts, method: Method) -> Indicator:
    """I2: devices with egress that also asked our resolver, weighted by the day's devices."""
    counts = [day["path"] for day in facts.days if day["path"] is not None]
    active = sum(each["active"] for each in counts)
    if not active:
        return unmeasured(method, "I2", _why_no_path(facts))
    used = sum(each["used_bp"] * each["active"] for each in counts)
    return replace(grade(method, "I2", used, active * 10_000), n=active)


def unresolved(facts: Facts, method: Method) -> Indicator:
    """I2b: new flows to addresses we never answered; needs the box in-line."""
    counts = [day["flows"] for day in facts.days if day["flows"] is not None]
    flows = sum(each["flows"] for each in counts)
    if not flows:
        return unmeasured(method, "I2b", _why_no_path(facts))
    strange = sum(each["unresolved_bp"] * each["flows"] for each in counts)
    return replace(grade(method, "I2b", strange, flows * 10_000), n=flows)


def _why_no_path(facts: Facts) -> str:
    inline = any(day["facility"]["deployment"] == "inline" for day in facts.days)
    return "not_counted" if inline else "not_inline"


def binding(facts: Facts, method: Method) -> Indicator:
    """I3: segments with an explicit tier among those seen; unknown ones got the strictest tier."""
    seen = sum(day["segments"]["seen"] for day in facts.days)
    bound = sum(day["segments"]["bound"] for day in facts.days)
    if not seen:
        return unmeasured(method, "I3", "no_segment_seen")
    return grade(method, "I3", bound, seen)
