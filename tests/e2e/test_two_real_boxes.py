"""Two boxes with the real filter, real keepalived and their line to each other, and one pupil.

How fast one replaces the other is measured with a stand-in (`test_two_boxes`); here is what the
pupil is told before, while and after one of them is killed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from filterd.control.client import ControlClient
from tests.e2e.school_net import PYTHON, ended, run
from tests.e2e.test_two_boxes import VIRTUAL, Boxes
from tests.lab.running import ROOT, until

NAME = "chi-truong-nay-chan.example"
pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(400),
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(
        not all(shutil.which(tool) for tool in ("keepalived", "dig")),
        reason="needs keepalived and dig",
    ),
]


class RealBoxes(Boxes):
    """The same two boxes; what answers is `filterd run`, each with the other as its pair."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.filters: dict[str, subprocess.Popen[bytes]] = {}
        policies = folder / "policies"
        shutil.copytree(ROOT / "policies", policies)
        school = policies / "school.yaml"
        school.write_text(school.read_text().replace("127.0.14.0/24", "10.0.10.0/24"))

    def file(self, box: str, name: str) -> Path:
        return self.folder / f"state-{box}" / name

    def filter(self, box: str) -> None:
        """Start the filter of a box."""
        number = self.boxes.index(box) + 1
        other = self.boxes[2 - number]
        settings = {
            "state_dir": str(self.file(box, "")), "workers": 1, "upstreams": ["udp://127.0.0.1:9"],
            "listen": {"dns": ["0.0.0.0:53"]}, "metrics": None, "console": None, "portal": None,
            "policies": str(self.folder / "policies"),
            "catalogue": str(ROOT / "blocklists/catalogue.yaml"),
            "pair": {"listen": f"10.0.10.{number}:8055", "peer": f"10.0.10.{3 - number}:8055",
                     "certificate": str(self.file(other, "keys/pair.crt"))},
        }  # fmt: skip
        config = self.folder / f"{box}.yaml"
        config.write_text(yaml.safe_dump(settings))
        with (self.folder / f"{box}.filter.log").open("ab") as log:
            self.filters[box] = subprocess.Popen(
                ["ip", "netns", "exec", box, PYTHON, "-m", "filterd", "run", "--config", config],
                stdout=log, stderr=log, cwd=ROOT, start_new_session=True,
            )  # fmt: skip

    def start(self, box: str) -> None:
        """keepalived and its watcher as `filterd setup ha` sets them up, with the filter's own
        word about the other box; the stand-in makes room for the filter."""
        super().start(box)
        standin = self.processes[box][0]
        standin.kill()
        standin.wait(10)
        behind = self.folder / f"{box}.behind"
        behind.unlink()
        behind.symlink_to(self.file(box, "run/pair-behind"))
        self.filter(box)

    def ask(self, server: str, name: str) -> str:
        """What the pupil is told: the rcode, or nothing."""
        done = subprocess.run(
            ["ip", "netns", "exec", f"{self.tag}p", "dig", "+time=1", "+tries=1",
             f"@{server}", name], capture_output=True, text=True, timeout=20, check=False,
        )  # fmt: skip
        found = re.search(r"status: (\w+)", done.stdout)
        return found[1] if found else ""

    def kill(self, box: str) -> None:
        """The whole filter at once: supervisor and workers."""
        os.killpg(self.filters[box].pid, signal.SIGKILL)
        self.filters[box].wait(10)


@pytest.fixture
def boxes(tmp_path: Path) -> Iterator[RealBoxes]:
    made = RealBoxes(tmp_path)
    try:
        made.build()
        for box in made.boxes:
            made.start(box)
        with ended([p for group in made.processes.values() for p in group]):
            try:
                yield made
            finally:
                for each in made.filters.values():
                    each.terminate()
                for each in made.filters.values():
                    each.wait(30)
    finally:
        made.remove()


def test_a_pupil_is_told_the_same_whichever_box_answers(boxes: RealBoxes) -> None:
    first, second = boxes.boxes
    both = ("10.0.10.1", "10.0.10.2")
    until(lambda: all(boxes.ask(each, NAME) == "SERVFAIL" for each in both), 120, "answers")
    sockets = [boxes.file(box, "run/control.sock") for box in boxes.boxes]
    until(lambda: all(each.exists() for each in sockets), 120, "the control sockets")
    ControlClient(sockets[0], 60).call(
        "lists.local_set", category="malware", text=f"{NAME}\n", reason="hai hộp"
    )
    until(lambda: boxes.ask("10.0.10.2", NAME) == "NXDOMAIN", 120, "the other box's copy")
    boxes.settle(0, 120)
    assert boxes.ask(VIRTUAL, NAME) == "NXDOMAIN"

    boxes.kill(first)
    until(lambda: boxes.ask(VIRTUAL, NAME) == "NXDOMAIN", 60, "the second box at the address")
    assert boxes.holders() == [second]
    ControlClient(sockets[1], 60).call(
        "lists.local_set", category="malware", text=f"{NAME}\nmoi-{NAME}\n", reason="hai hộp"
    )

    boxes.filter(first)
    until(lambda: boxes.ask("10.0.10.1", f"moi-{NAME}") == "NXDOMAIN", 120, "caught up")
    boxes.settle(0, 120)
    assert boxes.ask(VIRTUAL, f"moi-{NAME}") == "NXDOMAIN"
    run("ip", "-n", first, "link", "set", "eth0", "down")
    until(lambda: boxes.ask(VIRTUAL, f"moi-{NAME}") == "NXDOMAIN", 60, "without the first box")
