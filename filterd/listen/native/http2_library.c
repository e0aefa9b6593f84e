/* Finding libnghttp2. See http2_library.h. */
#include "http2_library.h"

#include <dlfcn.h>

static const char *const NAMES[] = {
    "nghttp2_session_callbacks_new",
    "nghttp2_session_callbacks_del",
    "nghttp2_session_callbacks_set_on_begin_headers_callback",
    "nghttp2_session_callbacks_set_on_header_callback",
    "nghttp2_session_callbacks_set_on_data_chunk_recv_callback",
    "nghttp2_session_callbacks_set_on_frame_recv_callback",
    "nghttp2_session_callbacks_set_on_stream_close_callback",
    "nghttp2_session_server_new",
    "nghttp2_session_del",
    "nghttp2_session_mem_recv",
    "nghttp2_session_mem_send",
    "nghttp2_session_want_read",
    "nghttp2_session_want_write",
    "nghttp2_session_get_stream_user_data",
    "nghttp2_session_set_stream_user_data",
    "nghttp2_submit_settings",
    "nghttp2_submit_rst_stream",
    "nghttp2_submit_response",
};
enum { COUNT = sizeof NAMES / sizeof *NAMES };
_Static_assert(sizeof(http2_library) == COUNT * sizeof(void *), "a name for every function");

const http2_library *http2_open(void) {
    static union {
        http2_library library;
        void *found[COUNT];
    } table;
    void *file = table.found[0] ? NULL : dlopen("libnghttp2.so.14", RTLD_NOW | RTLD_LOCAL);
    for (int i = 0; file && i < COUNT; i++) {
        table.found[i] = dlsym(file, NAMES[i]);
        if (!table.found[i]) return table.found[0] = NULL, NULL;
    }
    return table.found[0] ? &table.library : NULL;
}
