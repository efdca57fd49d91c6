/* reply.h - heap values as MessagePack.
 *
 * A handler writes its result through a struct reply, from reply_open to reply_close.
 *
 * Plain mode, so that every MessagePack client can read it: at most REPLY_DEPTH_PLAIN
 * containers inside each other; map keys as strings (numbers as decimal text, booleans as
 * "true" and "false"; bytes that are not UTF-8 as bin); a shared value is written at each
 * place it is met; a set is an array. A cycle, a weak reference inside a value, an integer
 * above int64 and an extension value are NEEDS_EXT. A sorted set is an array of
 * [member, score], in order, in any mode. A table is an array of maps, one for each row, in any
 * mode; where that would be more than reply-elements or reply-bytes allow, ext mode has ext 6
 * instead, with a MessagePack array [rows, bytes, [[name, type]...]]. Either is one container.
 *
 * With features.ext, containers of the result are numbered from 0 as they open, and
 *   1 REF    is a container that was opened before,
 *   4 SET    a set: an array of its members; counted as a container
 *   3 WEAK   a weak reference: to the container with that number, or, empty, to an object
 *            that has not come up in this result. A dead one is nil.
 *   2 HANDLE a handle.
 *   6 TABLE  a table that is too large to be written out: see below.
 * Their payloads are unsigned big-endian numbers of 1, 2, 4 or 8 bytes. */
#ifndef CAIRN_SERVER_REPLY_H
#define CAIRN_SERVER_REPLY_H

#include "server/call.h"

#define REPLY_DEPTH_PLAIN 31 /* with the envelope 32, which is what many clients can take */
#define REPLY_DEPTH_EXT 500
#define REPLY_REFS_MAX ((size_t)1 << 20) /* shared containers in one reply */

struct reply {
    struct call *call;
    struct writer *w;
    unsigned depth;     /* containers opened by reply_array and reply_map */
    unsigned depth_max; /* from reply_value on: deeper containers are written as nil; 0: none */
    uint64_t opened;    /* containers so far */
    uint64_t elements;  /* items so far: values, keys and containers */
    struct reply_ref *refs; /* hash table of shared containers; NULL until there is one */
    size_t ref_count, ref_capacity;
};

void reply_open(struct reply *r, struct call *call);
void reply_close(struct reply *r);
/* reply_close, and what the handler returns: `status` < 0 (an error that was reported
 * already) or a full reply are CALL_FAILED. */
enum call_outcome reply_finish(struct reply *r, int status);

/* Containers that the handler fills itself. The innermost is left with reply_leave. */
void reply_array(struct reply *r, size_t count);
void reply_map(struct reply *r, size_t count);
void reply_leave(struct reply *r);

/* Charges `count` items that the handler writes otherwise than through reply_value to the
 * limit reply-elements. 0, or -1 after call_fail. */
warn_unused int reply_charge(struct reply *r, size_t count);
/* As if `count` items were charged: for handlers that are about to write so many values. */
warn_unused int reply_room(struct reply *r, size_t count);

/* A table (KIND_TABLE), see above; its items are charged. */
warn_unused int reply_table(struct reply *r, value table);
/* Rows from the position `start` on, every `step`-th, `count` of them; all exist. An array. */
warn_unused int reply_table_rows(struct reply *r, value table, uint64_t start, uint64_t count,
                                 int64_t step);
/* A cell; the item is for the caller to charge. 0, or -1 (NEEDS_EXT). */
struct table_cell;
warn_unused int reply_cell(struct reply *r, const struct table_cell *cell);

/* 0, or -1 after call_fail. VALUE_ABSENT is written as nil. */
warn_unused int reply_value(struct reply *r, value v);
/* A value on its own as map key: see above. */
void reply_key(struct reply *r, value key);
/* [member, score], or the member alone. The items are for the caller to charge, and the array for
 * it to count among the opened. */
struct sorted_entry;
warn_unused int reply_sorted_entry(struct reply *r, const struct sorted_entry *entry,
                                   bool with_score);
void reply_handle(struct reply *r, int64_t handle);

/* 0, or -1 after call_fail, if the writer had no room: for handlers that must not change
 * anything once the reply has failed. */
warn_unused int reply_check(struct call *call);

/* Bytes that need not be text: a str if they are UTF-8, else a bin. */
void reply_text(struct writer *w, const char *data, size_t length);

/* An entry of a map of figures. */
void reply_figure(struct writer *w, const char *name, uint64_t figure);

/* Results of one scalar: write it and return CALL_DONE. */
enum call_outcome reply_bool(struct call *call, bool v);
enum call_outcome reply_int(struct call *call, int64_t v);
enum call_outcome reply_uint(struct call *call, uint64_t v);

#endif
