/* One response for all names of which the lists say the same: kept by their outline, and copied to the
 * name that is asked, so that uses are counted by name as ever. Contract in memo.h. */
#include <string.h>

#include "memo.h"

enum { HEADER = 12 };

/* Two questions of one type about names of one outline: octets to be found by. */
static size_t alike(const uint8_t *names, size_t size, const uint8_t *type, uint8_t *key) {
    memcpy(key, names, size);
    memcpy(key + size, type, 4);
    return size + 4;
}

int memo_spread(memo *table, uint32_t rules, uint8_t variant, const uint8_t *question, size_t size) {
    uint8_t names[OUTLINE_SIZE], key[OUTLINE_SIZE + 4], reply[MEMO_REPLY];
    const entry *one = memo_get(table, rules, variant, question, size);
    if (!table->names || !one || one->ttl_count) return 0; /* TTLs stand elsewhere in each name's */
    int known = outline_of(table->names, question, size - 4, names);
    if (known < 0) return 0;
    entry head = *one;
    head.variant |= MEMO_ALIKE;
    head.hits = head.uses = head.clients = 0;
    head.question_size = alike(names, known, question + size - 4, key);
    head.reply_size = one->reply_size - size;
    memcpy(reply, one->bytes + size, HEADER);
    memcpy(reply + HEADER, one->bytes + size + HEADER + size, head.reply_size - HEADER);
    return memo_put(table, &head, key, reply);
}

entry *memo_alike(memo *table, uint32_t rules, uint8_t variant, const uint8_t *names, size_t size,
                  const uint8_t *type) {
    uint8_t key[OUTLINE_SIZE + 4];
    return memo_get(table, rules, variant | MEMO_ALIKE, key, alike(names, size, type, key));
}

entry *memo_adopt(memo *table, const entry *like, const uint8_t *question, size_t size) {
    uint8_t reply[MEMO_REPLY];
    entry head = *like;
    const uint8_t *from = like->bytes + like->question_size;
    if (like->reply_size + size > sizeof reply) return NULL;
    head.variant &= ~MEMO_ALIKE;
    head.used = head.again = 1;
    head.question_size = size;
    head.reply_size = like->reply_size + size;
    memcpy(reply, from, HEADER);
    memcpy(reply + HEADER, question, size);
    memcpy(reply + HEADER + size, from + HEADER, like->reply_size - HEADER);
    if (!memo_put(table, &head, question, reply)) return NULL;
    return memo_get(table, head.rules, head.variant, question, size);
}
