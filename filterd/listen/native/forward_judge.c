/* Whether a question may be forwarded. Python says so (`judge`), once for all names of which the lists
 * say the same, and again for each that it has in hand itself. */
#include "objects.h"

enum { ALIKE_MS = 60000 };

/* 1: may be forwarded; 0: the handler's. A broken judge lets nothing through. */
static int ask_judge(Forward *self, const asked *one, uint32_t rules, verdict *found) {
    long long until = 0;
    PyObject *said = PyObject_CallFunction(
        self->judge, "Iy#y#", rules, (char *)one->address, (Py_ssize_t)16, (char *)one->question,
        (Py_ssize_t)one->question_size);
    int allowed = said && said != Py_None && PyArg_ParseTuple(said, "IL", &found->tier, &until);
    Py_XDECREF(said);
    if (PyErr_Occurred()) PyErr_WriteUnraisable(self->judge);
    found->until_ms = until;
    return allowed && found->tier < 16;
}

/* What the judge said lately of another name of which the lists say the same. */
static int judged_alike(Forward *self, const asked *one, int64_t now_ms, verdict *found) {
    if (one->names_size < 0 || forward_is_noted(&self->flow, one->hash)) return 0;
    const entry *kept = memo_get(&self->memo->table, one->from->rules, MEMO_FORWARDED, one->names,
                                 one->names_size);
    if (!kept || kept->until_ms <= now_ms) return 0;
    found->tier = kept->counts[0];
    found->until_ms = kept->stored_ms;
    return 1;
}

static int judge_all_alike(Forward *self, const asked *one, int64_t now_ms, verdict *found) {
    uint32_t rules = one->from->rules;
    if (judged_alike(self, one, now_ms, found)) return 1;
    if (!ask_judge(self, one, rules, found)) return 0;
    int64_t until = now_ms + ALIKE_MS;
    entry head = {.rules = rules, .variant = MEMO_FORWARDED, .question_size = one->names_size,
                  .stored_ms = found->until_ms, .counts = {found->tier}, .tally = NO_TALLY,
                  .until_ms = until < ends_ms(found) ? until : ends_ms(found), .used = 1};
    if (one->names_size >= 0) memo_put(&self->memo->table, &head, one->names, one->names);
    return 2;
}

/* The verdict, of who waits for the same under the same rules or of the judge. 0: not forwarded; 2:
 * Python was asked. */
int forward_verdict(Forward *self, const asked *one, const pending *on, int64_t now_ms,
                    verdict *found) {
    const waiter *first = on ? on->waiting : NULL;
    if (!first || first->rules != one->from->rules)
        return judge_all_alike(self, one, now_ms, found);
    found->tier = first->tier;
    found->until_ms = first->until_ms == INT64_MAX ? 0 : first->until_ms;
    return 1;
}
