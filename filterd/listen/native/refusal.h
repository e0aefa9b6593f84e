/* What cannot be read as a query: the same judgement as filterd.wire.query.parse_query.
 *
 * Malformed octets in numbers must not cost Python's time, of which everybody has a share.
 */
#ifndef FILTERD_REFUSAL_H
#define FILTERD_REFUSAL_H

#include <stddef.h>
#include <stdint.h>

enum { READABLE = -1, SILENT = -2, REFUSAL_SIZE = 12 };

/* READABLE: the handler's; SILENT: no answer; else the rcode of the answer. */
int refusal_of(const uint8_t *wire, size_t size);

/* The header-only answer (REFUSAL_SIZE octets); `wire` has at least as many. */
void refusal_write(const uint8_t *wire, int rcode, uint8_t *out);

#endif
