/* Which addresses are in address lists: a bisection of the columns of filterd.lists.addresses, which
 * is the specification. Says only whether any list has an address; what follows is Python's. */
#ifndef FILTERD_NETWORKS_H
#define FILTERD_NETWORKS_H

#include <stddef.h>
#include <stdint.h>

/* One family of one table: stretches begin at `high << 64 | low`, `inner` 0: in no network. */
typedef struct {
    const uint64_t *high, *low;
    const uint32_t *inner;
    size_t count;
} stretches;

/* Whether a 4- or 16-octet address is in a network. */
int stretches_have(const stretches *of, const uint8_t *address, size_t size);

#endif
