/* method_list.h - every method, declared once.
 *
 * Dispatch, the method `methods`, the completion of the command line and docs/methods.md
 * (server/gen_methods.c) come from here. X(name, params, result, fewest parameters, most,
 * flags, handler, help): parameters are positional, those in brackets may be left out, opts
 * is a map whose options follow the colon. */
#ifndef CAIRN_SERVER_METHOD_LIST_H
#define CAIRN_SERVER_METHOD_LIST_H

#include <limits.h>

#include "server/call.h"

#define METHOD_ANY UINT_MAX

#define METHODS_SESSION(X)                                                                      \
    X("ping", "[x]", "x or \"PONG\"", 0, 1, METHOD_READ, method_ping,                           \
      "Answers with x, to show that the server is there")                                       \
    X("hello", "[opts: ext, any_keys, structured_errors]", "map", 0, 1, METHOD_READ,            \
      method_hello,                                                                             \
      "Switches features of this session on (true) or off (false); tells which are on, and "    \
      "what the server is")                                                                     \
    X("methods", "", "[{name, params, result, help, flags}...]", 0, 0, METHOD_READ,             \
      method_methods, "Lists all methods")

#define METHODS_VALUES(X)                                                                       \
    X("get", "path, [opts: depth, default]", "value or nil", 1, 2, METHOD_READ, method_get,     \
      "Reads a value; lists and maps more than depth inside each other are nil; what is "       \
      "absent is default or nil")                                                               \
    X("set", "path, value, [opts: if, match, create, ttl, keep_ttl]", "bool", 2, 3,             \
      METHOD_WRITE, method_set,                                                                 \
      "Stores a value, unless the condition (if: \"absent\" or \"present\"; match: the value "  \
      "that is there now) does not hold; create makes the maps on the way. A key that is set "  \
      "expires after ttl milliseconds; without ttl never, unless keep_ttl is true")             \
    X("del", "path, ...", "count", 1, METHOD_ANY, METHOD_WRITE | METHOD_FREES,                  \
      method_del,                                                                               \
      "Deletes values, one after the other; tells how many were there")                         \
    X("exists", "path, ...", "count", 1, METHOD_ANY, METHOD_READ, method_exists,                \
      "Counts the paths at which there is a value")                                             \
    X("type", "path", "name or nil", 1, 1, METHOD_READ, method_type,                            \
      "Names the type of a value: nil, bool, int, float, string, bytes, list, map, set, "       \
      "sorted set, table, weak, ext")                                                           \
    X("len", "path", "n", 1, 1, METHOD_READ, method_len,                                        \
      "Counts items of a list, entries of a map, members of a set or sorted set, bytes of a "   \
      "string, rows of a table; 0 where nothing is")                                            \
    X("add", "path, number", "number", 2, 2, METHOD_WRITE, method_add,                          \
      "Adds to a number (0 where nothing is) and answers with the sum: exact if both are "      \
      "integers, a float if one is")                                                            \
    X("append", "path, data", "length", 2, 2, METHOD_WRITE, method_append,                      \
      "Appends to a string or bytes (empty where nothing is) and answers with the length in "   \
      "bytes")                                                                                  \
    X("swap", "path, value", "old value or nil", 2, 2, METHOD_WRITE, method_swap,               \
      "Stores a value, as set does, and answers with the one that was there")                   \
    X("take", "path", "value or nil", 1, 1, METHOD_WRITE | METHOD_FREES, method_take,           \
      "Deletes a value and answers with it")                                                    \
    X("mget", "paths", "[value...]", 1, 1, METHOD_READ, method_mget,                            \
      "Reads many values; those that are absent are nil")                                       \
    X("mset", "[[path, value]...]", "true", 1, 1, METHOD_WRITE, method_mset,                    \
      "Stores many values, all or none")

#define METHODS_LISTS(X)                                                                        \
    X("push", "path, [value...], [opts: front, create]", "length", 2, 3, METHOD_WRITE,          \
      method_push,                                                                              \
      "Adds values at the end of a list, or in front of it, in the order given, all or none; "  \
      "create makes the list, and the maps on the way")                                         \
    X("pop", "path, [count], [opts: front]", "value or [value...]", 1, 3,                       \
      METHOD_WRITE | METHOD_FREES, method_pop,                                                  \
      "Takes the last item (or the first) off a list, nil if there is none; with count, a "     \
      "list of up to that many, in the order they had")                                         \
    X("insert", "path, index, [value...]", "length", 3, 3, METHOD_WRITE, method_insert,         \
      "Adds values before an index of a list (its length: at the end; negative: counted from "  \
      "there), in the order given, all or none")                                                \
    X("splice", "path, start, count, [value...]", "list", 3, 4, METHOD_WRITE, method_splice,    \
      "Takes up to count items off from start on, puts values in their place, and answers "     \
      "with the items taken; all or nothing")                                                   \
    X("slice", "path, start, [stop], [step]", "list", 2, 4, METHOD_READ, method_slice,          \
      "Reads items (of a table: rows) from start up to, not with, stop, every step-th; "        \
      "negative indices count "                                                                 \
      "from the end, a negative step goes backwards")

#define METHODS_MAPS(X)                                                                         \
    X("keys", "path, [cursor], [opts: count]", "[next, [key...]]", 1, 3, METHOD_READ,           \
      method_keys, "Pages through the keys of a map, or the members of a set or sorted set")    \
    X("items", "path, [cursor], [opts: count]", "[next, [[key, value]...]]", 1, 3, METHOD_READ, \
      method_items,                                                                             \
      "Pages through the entries of a map, or the members of a sorted set and their scores")

#define METHODS_SETS(X)                                                                         \
    X("include", "path, [value...], [opts: create]", "added", 2, 3, METHOD_WRITE,               \
      method_include,                                                                           \
      "Adds members to a set, all or none, and tells how many are new; create makes the set, "  \
      "and the maps on the way")                                                                \
    X("exclude", "path, [value...]", "removed", 2, 2, METHOD_WRITE | METHOD_FREES,              \
      method_exclude, "Removes members from a set; tells how many were there")                  \
    X("contains", "path, value", "bool", 2, 2, METHOD_READ, method_contains,                    \
      "Whether a value is a member of a set")                                                   \
    X("union", "paths, [opts: into]", "set or count", 1, 2, METHOD_WRITE | METHOD_LONG,         \
      method_union,                                                                             \
      "The members of any of the sets, as a set; or stores it at the path into and tells how "  \
      "many there are")                                                                         \
    X("intersect", "paths, [opts: into]", "set or count", 1, 2, METHOD_WRITE | METHOD_LONG,     \
      method_intersect, "The same with the members that are in all of the sets")                \
    X("difference", "paths, [opts: into]", "set or count", 1, 2, METHOD_WRITE | METHOD_LONG,    \
      method_difference,                                                                        \
      "The same with the members of the first set that are in none of the others")

#define METHODS_SORTED(X)                                                                       \
    X("sorted.add", "path, [[member, score]...], [opts: if, create]", "added", 2, 3,            \
      METHOD_WRITE, method_sorted_add,                                                          \
      "Sets the scores of members of a sorted set, all or none, and tells how many are new. "   \
      "if: \"absent\" or \"present\" members only; \"greater\", \"less\": a member that is "    \
      "there only if its score rises, or falls. create makes the sorted set, and the maps on "  \
      "the way")                                                                                \
    X("sorted.increment", "path, member, by, [opts: create]", "score", 3, 4, METHOD_WRITE,      \
      method_sorted_increment,                                                                  \
      "Adds to the score of a member (0 if it is not there) and answers with the sum")          \
    X("sorted.remove", "path, [member...]", "removed", 2, 2, METHOD_WRITE | METHOD_FREES,       \
      method_sorted_remove, "Removes members from a sorted set; tells how many were there")     \
    X("sorted.score", "path, member", "score or nil", 2, 2, METHOD_READ, method_sorted_score,   \
      "The score of a member, nil if it is not there")                                          \
    X("sorted.rank", "path, member, [opts: reverse]", "index or nil", 2, 3, METHOD_READ,        \
      method_sorted_rank,                                                                       \
      "How many members come before this one; with reverse, how many behind it")                \
    X("sorted.range",                                                                           \
      "path, start, [stop], [opts: by, reverse, limit, offset, scores, exclusive]",             \
      "[member...] or [[member, score]...]", 2, 4, METHOD_READ, method_sorted_range,            \
      "Reads members in order. by \"rank\" (the default): from start up to, not with, stop, as " \
      "slice counts; by \"score\": from start to stop, with both unless exclusive is "          \
      "\"start\", \"stop\" or \"both\"; nil: no bound. reverse begins with the greatest, and "  \
      "counts ranks from there; offset members are left out, limit at most are read; scores "   \
      "adds the scores")                                                                        \
    X("sorted.count", "path, min, max, [opts: exclusive]", "n", 3, 4, METHOD_READ,              \
      method_sorted_count, "Counts the members with scores from min to max; nil: no bound")     \
    X("sorted.pop", "path, [count], [opts: greatest]",                                          \
      "[member, score] or [[member, score]...]", 1, 3, METHOD_WRITE | METHOD_FREES,             \
      method_sorted_pop,                                                                        \
      "Takes the member with the least score (or the greatest) off, nil if there is none; "     \
      "with count, a list of up to that many, the one that goes first in front")

#define METHODS_TABLES(X)                                                                       \
    X("table.create",                                                                           \
      "path, [[name, type, {null, sorted, index}]...], [opts: create, ttl]", "bool", 2, 3,      \
      METHOD_WRITE, method_table_create,                                                        \
      "Makes an empty table; false if something is there already. Types: i8 i16 i32 i64 u8 "    \
      "u16 u32 u64 f32 f64 bool str sym bin date ts. null: cells may be nil; sorted: they "     \
      "never descend; index: \"sorted\" or \"hash\", see table.index")                           \
    X("table.append",                                                                           \
      "path, {rows: [[...]...]} or {cols: {name: [...] or bin}, n, valid}",                     \
      "{first, n}", 2, 2,                                                                       \
      METHOD_WRITE | METHOD_LONG | METHOD_ROWS, method_table_append,                            \
      "Appends rows (lists of all cells, or maps), all or none; a bin holds little-endian "     \
      "elements, valid: {name: bin} one bit per row where such a column has nils")           \
    X("table.get", "path, row, [columns]", "map", 2, 3,                                         \
      METHOD_READ, method_table_get,                                                            \
      "Reads a row (negative: from the end), or some of its columns")                           \
    X("table.slice", "path, start, n, [opts: select, format, dictionary]",                      \
      "{cols, data, rows}", 3, 4,                                                               \
      METHOD_READ | METHOD_LONG, method_table_slice,                                            \
      "Reads up to n rows from start on (negative: from the end); format as of table.scan")     \
    X("table.scan",                                                                             \
      "path, [opts: where, select, let, order, limit, offset, batch, format, dictionary]",      \
      "{cols, data, rows, cursor, stats}", 1, 2,                                                \
      METHOD_READ | METHOD_LONG, method_table_scan,                                             \
      "Reads the rows that a predicate keeps, as they are at this moment; table.next reads "    \
      "on. batch: {rows, bytes}; format \"rows\": a list of lists, \"cols\": a list or a "      \
      "bin for each column, \"arrow\": a part of an Arrow stream, with dictionary as of "        \
      "table.export")                                                                           \
    X("table.next", "cursor, [opts: rows, bytes]", "{data, rows, cursor}", 1, 2,                \
      METHOD_READ | METHOD_LONG, method_table_next,                                             \
      "Reads the next batch of a scan or export; with the last, cursor is nil")                 \
    X("table.export",                                                                           \
      "path, {format, where, select, let, order, limit, offset, batch, dictionary, header, "    \
      "delimiter, null}",                                                                       \
      "{format, rows, data, cursor}", 2, 2,                                                     \
      METHOD_READ | METHOD_LONG, method_table_export,                                           \
      "Reads what table.scan would as bytes of a file: format \"arrow\" (a stream), \"csv\", "  \
      "\"jsonl\" or \"npy\"; table.next reads on. batch: {bytes}; header (true), delimiter "    \
      "(\",\") and null (\"\"), what nil is written as, are options of csv; dictionary of "      \
      "arrow: those of sym columns \"whole\", as \"delta\"s, or (\"auto\") whole up to 256 MiB")   \
    X("table.close", "cursor", "bool", 1, 1,                                                    \
      METHOD_READ, method_table_close,                                                          \
      "Ends a scan, export or import; false if there is no such cursor")                       \
    X("table.agg",                                                                              \
      "path, {where, let, group, agg, having, order, limit, offset, format, dictionary}",       \
      "{cols, data, rows, stats}", 2, 2,                                                        \
      METHOD_READ | METHOD_LONG, method_table_agg,                                              \
      "Computes aggregates, agg: {name: [function, column, ...]}, of the rows that a "          \
      "predicate keeps, for each group or of all")                                              \
    X("table.explain", "path, [opts: those of table.scan or table.agg]", "map", 1, 2,           \
      METHOD_READ | METHOD_LONG, method_table_explain,                                          \
      "Tells what a query will do, and what zone maps and indexes will skip, in the words of "  \
      "stats, which docs/tables.md explains")                                                   \
    X("table.set", "path, row, column, value", "true", 4, 4,                                    \
      METHOD_WRITE, method_table_set,                                                           \
      "Changes a cell")                                                                         \
    X("table.update", "path, where, {column: value}", "n", 3, 3,                                \
      METHOD_WRITE | METHOD_LONG, method_table_update,                                          \
      "Changes cells of all rows that a predicate keeps (nil: of all), all or none; tells "     \
      "how many rows these are")                                                                \
    X("table.delete", "path, where or [row...]", "n", 2, 2,                                     \
      METHOD_WRITE | METHOD_LONG | METHOD_FREES, method_table_delete,                           \
      "Deletes the rows that a predicate keeps, or those at the given positions, all or "       \
      "none; tells how many these are")                                                         \
    X("table.index", "path, column, \"sorted\" or \"hash\" or nil", "{rows, bytes}", 3, 3,        \
      METHOD_WRITE | METHOD_LONG, method_table_index,                                           \
      "Gives a column an index, or (nil) none; answers when what is full is indexed, with the " \
      "rows and bytes of the index. Queries use it where it is cheaper (table.explain)")        \
    X("table.alter", "path, [change...]", "true", 2, 2,                                         \
      METHOD_WRITE | METHOD_LONG, method_table_alter,                                           \
      "Changes columns, all or none: [\"add\", name, type, {null, sorted, default}], "          \
      "[\"drop\", name], [\"rename\", name, name], [\"type\", name, type], [\"null\" or "       \
      "\"sorted\", name, bool]; types change without loss, or not at all")                      \
    X("table.schema", "path", "[[name, type, {null, sorted, [index]}]...]", 1, 1,               \
      METHOD_READ, method_table_schema,                                                         \
      "Lists the columns, as table.create takes them")                                          \
    X("table.stats", "path", "map", 1, 1,                                                       \
      METHOD_READ | METHOD_LONG, method_table_stats,                                            \
      "Counts rows, chunks and bytes, and for each column the vectors and bytes by encoding")   \
    X("table.compact", "path", "{bytes_before, bytes_after}", 1, 1,                             \
      METHOD_WRITE | METHOD_LONG, method_table_compact,                                         \
      "Seals all rows, takes deleted ones out, merges changed cells, and makes dictionaries "   \
      "of which much is not used anew, in steps")                                               \
    X("table.from", "path, [path], [schema]", "{rows, bytes_before, bytes_after}", 1, 3,        \
      METHOD_WRITE | METHOD_LONG, method_table_from,                                            \
      "Makes a table of a list of records and stores it at the second path (nil: instead of "   \
      "the list); without a schema, types are inferred")                                        \
    X("table.import",                                                                           \
      "path, bytes, {format, more, cursor, create, schema, types, ttl, infer, atomic, header, " \
      "delimiter, null}",                                                                       \
      "{rows, cursor, schema}", 3, 3,                                                           \
      METHOD_WRITE | METHOD_LONG, method_table_import,                                          \
      "Appends the rows of a file in format \"arrow\", \"csv\", \"jsonl\" or \"npy\", those of "   \
      "a call all or none, or with atomic those of all calls; more: further calls bring more "  \
      "of its bytes, with the cursor. "                                                         \
      "create: the table is made, of schema or what the first bytes show, but for types; "     \
      "infer: nothing is "                                                                      \
      "stored, the last reply has the schema. rows: of the whole import so far")                \
    X("table.to", "path, [path]", "{rows, bytes_before, bytes_after}", 1, 2,                    \
      METHOD_WRITE | METHOD_LONG, method_table_to,                                              \
      "Makes a list of records of a table and stores it at the second path (nil: instead of "   \
      "the table)")

#define METHODS_KEYS(X)                                                                         \
    X("scan", "[cursor], [opts: match, type, count]", "[next, [key...]]", 0, 2, METHOD_READ,    \
      method_scan,                                                                              \
      "Pages through the keys that match a pattern (* ? [a-z] \\) and hold a type; looks at "   \
      "count keys a call, or fewer where matching is slow")                                     \
    X("rename", "key, key, [opts: if]", "bool", 2, 3, METHOD_WRITE, method_rename,              \
      "Gives the value of the first key, and the time when it expires, to the second; if: "     \
      "\"absent\", only where there is nothing under that")                                     \
    X("expire", "key, ms or nil, [opts: at, if]", "bool", 2, 3, METHOD_WRITE, method_expire,    \
      "Lets a key expire after so many milliseconds, or at a time (milliseconds since 1970), "  \
      "or never (nil, without at); at once if that is past. if: \"absent\", only a key that "   \
      "never expires; \"present\", one that does; \"greater\" or \"less\", if it then expires " \
      "later, or earlier. False if the key is not there, or nothing was to be done")            \
    X("ttl", "key", "ms or nil", 1, 1, METHOD_READ, method_ttl,                                 \
      "The milliseconds until a key expires; nil if it never does, or is not there (exists "    \
      "tells)")                                                                                 \
    X("count", "", "n", 0, 0, METHOD_READ, method_count_keys,                                   \
      "Counts the keys, with those that have expired and are not freed yet")                    \
    X("clear", "", "true", 0, 0, METHOD_WRITE | METHOD_FREES, method_clear, "Deletes all keys")

#define METHODS_REFERENCES(X)                                                                   \
    X("link", "path, target", "true", 2, 2, METHOD_WRITE, method_link,                          \
      "Stores the very value at the path target, not a copy, at path as well")                  \
    X("weak", "path, target", "true", 2, 2, METHOD_WRITE, method_weak,                          \
      "Stores a weak reference to the list or map at target: it is followed, and does not "     \
      "keep its target")                                                                        \
    X("same", "path, path", "bool", 2, 2, METHOD_READ, method_same,                             \
      "Whether two paths lead to the same object; a short text in a large map is the same as "    \
      "any equal one")                                              \
    X("hold", "path", "handle", 1, 1, METHOD_READ, method_hold,                                 \
      "Gives a value a handle, which can stand for the key of a path, until release or the "    \
      "end of the session")                                                                     \
    X("new", "value", "handle", 1, 1, METHOD_WRITE, method_new,                                 \
      "Makes a value that only its handle holds")                                               \
    X("release", "handle, ...", "count", 1, METHOD_ANY, METHOD_READ, method_release,            \
      "Gives handles up; tells how many there were")

#define METHODS_COLLECTOR(X)                                                                    \
    X("gc.enable", "", "true", 0, 0, METHOD_ADMIN, method_gc_enable,                            \
      "Lets the collector begin cycles by itself, as it does at first")                         \
    X("gc.disable", "", "true", 0, 0, METHOD_ADMIN, method_gc_disable,                          \
      "Keeps the collector from beginning cycles by itself; what has one owner is freed "       \
      "as ever, and gc.collect and gc.step work")                                               \
    X("gc.is_enabled", "", "bool", 0, 0, METHOD_ADMIN, method_gc_is_enabled,                    \
      "Whether the collector begins cycles by itself (MicroPython's gc.isenabled)")             \
    X("gc.collect", "", "bytes freed", 0, 0, METHOD_ADMIN | METHOD_LONG, method_gc_collect,     \
      "Runs a whole cycle, in steps between other requests, and answers when it is done")       \
    X("gc.step", "[us]", "bool", 0, 1, METHOD_ADMIN, method_gc_step,                            \
      "Works on a cycle (begins one if none is under way) for some microseconds; true if "      \
      "that ended it")                                                                          \
    X("gc.threshold", "[bytes]", "bytes", 0, 1, METHOD_ADMIN, method_gc_threshold,              \
      "How much garbage there may be before a cycle begins; sets it first if bytes are "        \
      "given. 0 or -1: chosen from the live size (in MicroPython -1 turns the threshold "       \
      "off, and it counts all that is allocated)")                                              \
    X("gc.mem_alloc", "", "bytes", 0, 0, METHOD_ADMIN, method_gc_mem_alloc,                     \
      "Bytes of the heap in use, garbage that was not found yet included")                      \
    X("gc.mem_free", "", "bytes", 0, 0, METHOD_ADMIN, method_gc_mem_free,                       \
      "Bytes that the memory limit leaves")                                                     \
    X("gc.stats", "", "map", 0, 0, METHOD_ADMIN, method_gc_stats,                               \
      "The collector's figures: cycles, bytes, objects that it moved, its share of the "        \
      "last second and minute in per mille, and how long its work held others up, in "          \
      "classes: step, compact (a step that moved objects), drop (taking apart what one "        \
      "owner gave up), trim (giving memory back), ahead (asking for it before it is needed), "  \
      "start (what a cycle does in one go), assist (inside an allocation), split (of a "        \
      "segment of a large map), growth (into the next representation). Bucket i of each "       \
      "counts what took 2^i to 2^(i+1) nanoseconds")

#define METHODS_MEMORY(X)                                                                       \
    X("mem.info", "", "map", 0, 0, METHOD_ADMIN, method_mem_info, "The heap's figures")         \
    X("mem.map", "[opts: first, count]", "{first, pages, page_bytes, map}", 0, 1, METHOD_ADMIN, \
      method_mem_map,                                                                           \
      "Draws the heap, one character a page: . free, a to z by how full (capitals: leaves), "   \
      "= an object of whole pages")                                                             \
    X("mem.census", "", "[{kind, count, bytes}...]", 0, 0, METHOD_ADMIN | METHOD_LONG,          \
      method_mem_census, "Counts the objects by kind, the largest share first")                 \
    X("mem.size", "path, [opts: of]", "bytes", 1, 2, METHOD_ADMIN | METHOD_LONG,                \
      method_mem_size,                                                                          \
      "The bytes of a value: of \"deep\" (the default), everything that hangs from it, each "   \
      "object once; of \"shallow\", its own cell")

#define METHODS_SERVER(X)                                                                       \
    X("server.info", "[section]", "map", 0, 1, METHOD_ADMIN, method_server_info,                \
      "What the server is and does, by section: server, clients, memory, gc, keys")             \
    X("server.shutdown", "", "true", 0, 0, METHOD_ADMIN, method_server_shutdown,                \
      "Ends the server, after this answer")

/* G(title, METHODS_x) */
#define METHOD_GROUPS(G)                                                                        \
    G("Session", METHODS_SESSION)                                                               \
    G("Values", METHODS_VALUES)                                                                 \
    G("Lists", METHODS_LISTS)                                                                   \
    G("Maps", METHODS_MAPS)                                                                     \
    G("Sets", METHODS_SETS)                                                                     \
    G("Sorted sets", METHODS_SORTED)                                                            \
    G("Tables", METHODS_TABLES)                                                                 \
    G("Keys", METHODS_KEYS)                                                                     \
    G("References", METHODS_REFERENCES)                                                         \
    G("Collector", METHODS_COLLECTOR)                                                           \
    G("Memory", METHODS_MEMORY)                                                                 \
    G("Server", METHODS_SERVER)

#define X(name, params, result, min, max, flags, handler, help)                                 \
    enum call_outcome handler(struct call *call);
#define G(title, methods) methods(X)
METHOD_GROUPS(G)
#undef G
#undef X

#endif
