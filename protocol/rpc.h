/* rpc.h - MessagePack-RPC messages.
 *
 *   request       [0, msgid, method, params]
 *   response      [1, msgid, error, result]
 *   notification  [2, method, params]
 *
 * The reader takes the envelope apart and hands the contents (the parameters; or error
 * and result) on to a sink as they arrive.
 *
 * A message that is MessagePack but not RPC (a wrong type number, a method that is not a
 * string, params that are not an array) is read to its end and reported as bad, with its
 * msgid where it had one, so that the connection goes on. */
#ifndef CAIRN_PROTOCOL_RPC_H
#define CAIRN_PROTOCOL_RPC_H

#include "protocol/decoder.h"

#define RPC_METHOD_BYTES_MAX 64

enum rpc_type { RPC_REQUEST = 0, RPC_RESPONSE = 1, RPC_NOTIFICATION = 2 };

enum rpc_fault {
    RPC_FAULT_NONE,
    RPC_FAULT_NOT_ARRAY,   /* the message is not an array of 3 or 4 */
    RPC_FAULT_TYPE,        /* the type is not 0, 1 or 2, or does not match the count */
    RPC_FAULT_MSGID,       /* not an integer in 0..2^32-1 */
    RPC_FAULT_METHOD,      /* not a str or bin of 1..RPC_METHOD_BYTES_MAX bytes */
    RPC_FAULT_PARAMS,      /* not an array */
};
/* What is wrong, as the end of a sentence; static storage. */
const char *rpc_fault_text(enum rpc_fault fault);

/* Of a faulty message, what could be made out. Of an unknown type, or none, it counts as a
 * request; its second item is then a msgid if it can be one. */
struct rpc_message {
    enum rpc_type type;
    bool has_msgid;
    uint32_t msgid;
    char method[RPC_METHOD_BYTES_MAX + 1]; /* terminated; may contain other bytes */
    size_t method_length;
    enum rpc_fault fault;
};

/* The contents go to the sink like this: of a request or notification, the params array
 * item by item *without* its own open and close; of a response, two items: error, result.
 * `begin` comes before the first item, once the envelope up to there is known good;
 * it is not called for a faulty message. */
struct rpc_sink {
    int (*begin)(void *context, const struct rpc_message *message, size_t params_count);
    struct decoder_sink items;
};

struct rpc_reader;
struct rpc_reader *rpc_reader_create(const struct rpc_sink *sink, void *context,
                                     const struct decoder_limits *limits);
void rpc_reader_destroy(struct rpc_reader *r);

/* As decoder_feed. After DECODER_DONE, rpc_reader_message tells what it was (also when it
 * was faulty). depth_max of the limits counts from the contents: the envelope is free (a
 * parameter that is a list of numbers is 1 deep). bytes_max and elements_max are those of the
 * whole message, the envelope included (5 elements of a request, 4 of a notification, 3 of
 * a response). */
int rpc_reader_feed(struct rpc_reader *r, const char *data, size_t length, size_t *used);
/* The message under way or just ended; valid until the next feed. */
const struct rpc_message *rpc_reader_message(const struct rpc_reader *r);
/* From now on the rest of this message is read without calling the sink: for a receiver
 * that has failed (out of memory) and wants to answer when the message ends. May be called
 * from inside the sink. The budget goes on counting. */
void rpc_reader_skip(struct rpc_reader *r);
/* As decoder_take_rows; for an array of a request's contents. */
void rpc_reader_take_rows(struct rpc_reader *r);
/* As decoder_charge. */
bool rpc_reader_charge(struct rpc_reader *r, size_t elements);
bool rpc_reader_at_start(const struct rpc_reader *r);

#endif
