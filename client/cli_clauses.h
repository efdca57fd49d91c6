/* cli_clauses.h - the clauses of readable queries, to the options of table.scan and table.agg.
 *
 *   query   [select item, …] [where condition] [order by column [asc | desc], …]
 *           [limit n] [offset n]
 *   group   [by item, …] [count | function(value, …) [as name], …] [by item, …] [where condition]
 *           [having condition] [order by …] [limit n] [offset n]
 *   item    * | column | value as name
 *
 * Clauses come in any order, each once; keys and aggregates of a group come first, in either order.
 * What is computed without a name is called as it is written, and is found again however blanks
 * stand: sum(price) having sum( price ) > 100 order by sum(price) desc. */
#ifndef CAIRN_CLIENT_CLI_CLAUSES_H
#define CAIRN_CLIENT_CLI_CLAUSES_H

#include "client/cli_filter.h"

enum cli_clauses_kind { CLI_CLAUSES_QUERY, CLI_CLAUSES_GROUP };

/* What was said. */
struct cli_clauses {
    bool has_where, has_select, has_order, has_limit, has_offset, has_having;
    int64_t limit, offset;
};

/* Adds the options as keys and values to `args`, in which a map is open. `fields`: the table's
 * columns. The condition, if any, is also added to `where`, which may be NULL. False and *error. */
bool cli_clauses_read(enum cli_clauses_kind kind, const char *text, size_t length,
                      const struct cli_fields *fields, struct cairn_args *args,
                      struct cairn_args *where, struct cli_clauses *clauses,
                      struct cli_query_error *error) CAIRN_MUST_CHECK;

#endif
