/* What is used of libnghttp2 (Debian's libnghttp2-14), found at run time: without it the package
 * builds and serves all the same, through h2. Types as its stable interface lays them out
 * (nghttp2.h, so version 14, since 2015).
 */
#ifndef FILTERD_HTTP2_LIBRARY_H
#define FILTERD_HTTP2_LIBRARY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct nghttp2_session nghttp2_session;
typedef struct nghttp2_session_callbacks nghttp2_session_callbacks;

typedef struct {
    size_t length;
    int32_t stream;
    uint8_t type, flags, reserved;
} http2_frame; /* the head of any frame */

typedef struct {
    const uint8_t *name, *value;
    size_t name_size, value_size;
    uint8_t flags;
} http2_header;

typedef union {
    int fd;
    void *ptr;
} http2_source;

typedef struct {
    http2_source source;
    ssize_t (*read)(nghttp2_session *, int32_t stream, uint8_t *out, size_t room, uint32_t *flags,
                    http2_source *source, void *self);
} http2_body;

typedef struct {
    int32_t id;
    uint32_t value;
} http2_setting;

enum { HTTP2_DATA = 0, HTTP2_HEADERS = 1, HTTP2_RST_STREAM = 3 };
enum { HTTP2_END_STREAM = 1, HTTP2_END_HEADERS = 4 };
enum { HTTP2_NO_INDEX = 1, HTTP2_EOF = 1 };
enum { HTTP2_NO_ERROR = 0, HTTP2_CANCEL = 8 };
enum { HTTP2_MAX_STREAMS = 3, HTTP2_WINDOW = 4, HTTP2_HEADER_LIST = 6 };
enum { HTTP2_FAILED = -902 }; /* NGHTTP2_ERR_CALLBACK_FAILURE: ends the session */

typedef int (*http2_on_frame)(nghttp2_session *, const http2_frame *, void *self);
typedef int (*http2_on_header)(nghttp2_session *, const http2_frame *, const uint8_t *name,
                               size_t name_size, const uint8_t *value, size_t value_size,
                               uint8_t flags, void *self);
typedef int (*http2_on_data)(nghttp2_session *, uint8_t flags, int32_t stream, const uint8_t *octets,
                             size_t size, void *self);
typedef int (*http2_on_close)(nghttp2_session *, int32_t stream, uint32_t error, void *self);

typedef struct {
    int (*callbacks_new)(nghttp2_session_callbacks **);
    void (*callbacks_del)(nghttp2_session_callbacks *);
    void (*on_begin_headers)(nghttp2_session_callbacks *, http2_on_frame);
    void (*on_header)(nghttp2_session_callbacks *, http2_on_header);
    void (*on_data)(nghttp2_session_callbacks *, http2_on_data);
    void (*on_frame)(nghttp2_session_callbacks *, http2_on_frame);
    void (*on_close)(nghttp2_session_callbacks *, http2_on_close);
    int (*server_new)(nghttp2_session **, const nghttp2_session_callbacks *, void *self);
    void (*del)(nghttp2_session *);
    ssize_t (*take_in)(nghttp2_session *, const uint8_t *octets, size_t size);
    ssize_t (*give_out)(nghttp2_session *, const uint8_t **octets);
    int (*want_read)(nghttp2_session *);
    int (*want_write)(nghttp2_session *);
    void *(*get_user)(nghttp2_session *, int32_t stream);
    int (*set_user)(nghttp2_session *, int32_t stream, void *);
    int (*settings)(nghttp2_session *, uint8_t flags, const http2_setting *, size_t count);
    int (*reset)(nghttp2_session *, uint8_t flags, int32_t stream, uint32_t error);
    int (*response)(nghttp2_session *, int32_t stream, const http2_header *, size_t count,
                    const http2_body *);
} http2_library;

/* The library, or NULL when it is not installed. */
const http2_library *http2_open(void);

#endif
