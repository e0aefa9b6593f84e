/* Fills a response up to a block, so that its size tells little (RFC 7830, RFC 8467 §4.1): as
 * filterd.wire.padding, which is the specification. */
#ifndef FILTERD_PADDING_H
#define FILTERD_PADDING_H

#include <stddef.h>
#include <stdint.h>

enum { PADDING_CODE = 12, PADDING_BLOCK = 468, PADDING_MOST = 4 + PADDING_BLOCK - 1 };

/* Its new size; there is room for PADDING_MOST octets more. As it is when it does not end in OPT. */
size_t padding_fill(uint8_t *response, size_t size);

#endif
