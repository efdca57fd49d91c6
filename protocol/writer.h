/* writer.h - MessagePack out, in the shortest encodings, into a growing buffer.
 *
 * A failed allocation or a reached limit is remembered: further writes do nothing, and
 * the writer says so at the end, so that callers check once. */
#ifndef CAIRN_PROTOCOL_WRITER_H
#define CAIRN_PROTOCOL_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum writer_error { WRITER_OK, WRITER_NO_MEMORY, WRITER_LIMIT };

struct writer {
    char *data;      /* owned */
    size_t length;
    size_t capacity;
    size_t limit;    /* length may not pass it; 0: none */
    enum writer_error error;
};

void writer_init(struct writer *w, size_t limit);
void writer_close(struct writer *w);
/* Takes the contents back to `length` (a mark taken earlier) and forgets the error. */
void writer_rewind(struct writer *w, size_t length);

void writer_nil(struct writer *w);
void writer_bool(struct writer *w, bool value);
void writer_int(struct writer *w, int64_t value);
void writer_uint(struct writer *w, uint64_t value);
void writer_double(struct writer *w, double value);
void writer_str(struct writer *w, const char *data, size_t length);
void writer_cstr(struct writer *w, const char *text);
void writer_bin(struct writer *w, const void *data, size_t length);
void writer_ext(struct writer *w, int8_t type, const void *data, size_t length);
/* An extension value whose length is known when its bytes have been written: they go between open
 * and close, which gets the mark that open returned. */
size_t writer_ext_open(struct writer *w);
void writer_ext_close(struct writer *w, size_t mark, int8_t type);
/* The headers alone, for bodies that follow in parts through writer_bytes. */
void writer_str_header(struct writer *w, size_t length);
void writer_bin_header(struct writer *w, size_t length);
void writer_ext_header(struct writer *w, int8_t type, size_t length);
void writer_bytes(struct writer *w, const void *data, size_t length);
void writer_array(struct writer *w, size_t count);
void writer_map(struct writer *w, size_t count);

/* With which every response begins: it is an array of four. */
#define RPC_RESPONSE_FIRST_BYTE 0x94

/* Envelopes; params, or error and result, follow. */
void writer_request(struct writer *w, uint32_t msgid, const char *method, size_t params_count);
void writer_response(struct writer *w, uint32_t msgid);
/* The same without its first byte, RPC_RESPONSE_FIRST_BYTE, which has gone ahead. */
void writer_response_rest(struct writer *w, uint32_t msgid);
void writer_notification(struct writer *w, const char *method, size_t params_count);

#endif
