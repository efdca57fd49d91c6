/* errors.h - the errors that clients see: a stable code and what it means.
 *
 * On the wire an error is the string "CODE message"; or, for a session with structured
 * errors, the map {code, message}. The message says what was wrong, with what, and what
 * would be right. */
#ifndef CAIRN_SERVER_ERRORS_H
#define CAIRN_SERVER_ERRORS_H

/* X(CODE, meaning) */
#define SERVER_ERRORS(X)                                                                  \
    X(BAD_MESSAGE, "not a MessagePack-RPC message")                                       \
    X(UNKNOWN_METHOD, "no such method")                                                   \
    X(BAD_PARAMS, "too many, too few or unfit parameters")                                \
    X(BAD_PATH, "a path that is not a key or an array of a key and segments")             \
    X(NOT_FOUND, "something on the way to the path is absent")                            \
    X(WRONG_TYPE, "the value is of a type that the method does not work on")              \
    X(OUT_OF_RANGE, "a number or an index outside of what is possible")                   \
    X(LIMIT, "a limit of the server was reached; the message names it")                   \
    X(OUT_OF_MEMORY, "the memory limit (max-memory) was reached; nothing was changed")    \
    X(NEEDS_EXT, "the value cannot be written in plain MessagePack; hello can allow it")  \
    X(BUSY, "another task is in the way, or changed what this one works on")              \
    X(INTERNAL, "a defect of the server")

enum error_code {
#define X(code, meaning) ERROR_##code,
    SERVER_ERRORS(X)
#undef X
        ERROR_COUNT
};
const char *error_code_name(enum error_code code);

#endif
