/* cli_clauses.c - the clauses of readable queries; see cli_clauses.h. */
#include "client/cli_clauses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli_path.h"

struct reader {
    enum cli_clauses_kind kind;
    struct cli_lexer l;
    struct cli_fields known;   /* columns of the table, and what has been given a name */
    struct cli_fields results; /* of a group */
    struct cairn_args *args, *where;
    struct cairn_args *let;    /* names and their expressions */
    struct cli_clauses *said;
    struct cli_query_error *error;
};

static bool fail_memory(struct reader *r)
{
    return cli_query_fail(r->error, 0, "out of memory");
}

static bool copy_fields(struct cli_fields *to, const struct cli_fields *from)
{
    for (size_t i = 0; i < from->count; i++)
        if (!cli_fields_add(to, from->list[i].name, from->list[i].length,
                            from->list[i].type_name))
            return false;
    return true;
}

/* --- items ------------------------------------------------------------------------------*/

/* What is called as it is written: blanks go, where they separate nothing. */
static void name_as_written(const struct reader *r, size_t from, size_t to, struct cli_text *name)
{
    for (; from < to; from++) {
        char c = r->l.text[from];
        if (c != ' ' && c != '`') cli_text_add_char(name, c);
    }
}

/* [as name]; else `name` is left as it is. */
static bool given_name(struct reader *r, struct cli_text *name)
{
    if (!cli_lexer_take(&r->l, "as")) return true;
    bool is_name = r->l.token.type == CLI_TOKEN_NAME || r->l.token.type == CLI_TOKEN_QUOTED_NAME ||
                   r->l.token.type == CLI_TOKEN_TEXT;
    if (!is_name) return cli_lexer_expected(&r->l, "a name behind as", r->error);
    cli_text_clear(name);
    if (!cli_lexer_meaning(&r->l, r->l.token, name, r->error)) return false;
    cli_lexer_next(&r->l);
    return true;
}

static const char *type_name_of(enum cli_type type)
{
    switch (type) {
    case CLI_TYPE_INT: return "i64";
    case CLI_TYPE_FLOAT: return "f64";
    case CLI_TYPE_BOOL: return "bool";
    case CLI_TYPE_TEXT: return "str";
    case CLI_TYPE_BIN: return "bin";
    case CLI_TYPE_DATE: return "date";
    case CLI_TYPE_TIME: return "ts";
    default: return "";
    }
}

/* Adds the result's name to `fields`, where it must be new. */
static bool add_name(struct reader *r, struct cli_fields *fields, const struct cli_text *name,
                     const char *type_name, size_t offset)
{
    if (name->failed) return fail_memory(r);
    const char *data = name->data ? name->data : "";
    if (name->length == 0) return cli_query_fail(r->error, offset, "a name is missing");
    if (cli_fields_find(fields, data, name->length))
        return cli_query_fail(r->error, offset, "the name %.80s is there already; give another one "
                              "with as", data);
    return cli_fields_add(fields, data, name->length, type_name) || fail_memory(r);
}

/* A key of a group, or an item of select: a column, or a value that let gives a name. */
static bool item(struct reader *r)
{
    struct cli_expression e;
    struct cli_text name = {0};
    struct cairn_args *value = cairn_args_create();
    size_t from = r->l.token.from;
    bool group = r->kind == CLI_CLAUSES_GROUP;
    bool done = value ? cli_filter_read(&r->l, &r->known, &e, value, r->error) : fail_memory(r);
    bool renamed = done && cli_lexer_is(&r->l, "as");
    if (done && e.is_column)
        cli_text_add(&name, e.field->name, e.field->length);
    else if (done)
        name_as_written(r, e.from, e.to, &name);
    char type[8] = "";
    if (done) snprintf(type, sizeof type, "%s", e.is_column ? e.field->type_name
                                                            : type_name_of(e.type));
    done = done && given_name(r, &name);
    if (done && (!e.is_column || renamed)) {
        cli_path_key(r->let, name.data ? name.data : "", name.length);
        if (e.is_column) {
            cairn_args_array_open(r->let);
            cairn_args_cstr(r->let, "col");
        }
        cairn_args_append(r->let, value);
        if (e.is_column) cairn_args_array_close(r->let);
        done = add_name(r, &r->known, &name, type, from);
    }
    if (done) cli_path_key(r->args, name.data ? name.data : "", name.length);
    if (done && group) {
        const struct cli_field *f = cli_fields_find(&r->known, name.data, name.length);
        done = add_name(r, &r->results, &name, f ? f->type_name : "", from);
    }
    cairn_args_destroy(value);
    cli_text_close(&name);
    return done;
}

static bool items(struct reader *r, const char *option)
{
    cairn_args_cstr(r->args, option);
    cairn_args_array_open(r->args);
    do {
        if (!item(r)) return false;
    } while (cli_lexer_take(&r->l, ","));
    cairn_args_array_close(r->args);
    return true;
}

static bool read_select(struct reader *r)
{
    if (cli_lexer_take(&r->l, "*")) return true;
    return items(r, "select");
}

/* --- aggregates -------------------------------------------------------------------------*/

static bool is_aggregate(const struct reader *r)
{
    const struct cli_token t = r->l.token;
    return t.type == CLI_TOKEN_NAME && cli_is_aggregate(r->l.text + t.from, t.to - t.from);
}

static bool is_named(const char *function, size_t length, const char *name)
{
    return strlen(name) == length && memcmp(function, name, length) == 0;
}

/* What a function makes of a type; "" if that varies. */
static const char *result_type(const char *function, size_t length, const struct cli_expression *e)
{
    bool picks = is_named(function, length, "min") || is_named(function, length, "max") ||
                 is_named(function, length, "first") || is_named(function, length, "last");
    if (picks) return e->field ? e->field->type_name : type_name_of(e->type);
    return is_named(function, length, "count") ? "i64" : "";
}

/* Inside of the parentheses: nothing, or a value, and of quantile a number behind it. */
static bool aggregate_value(struct reader *r, const char *function, size_t length,
                            struct cli_expression *e, struct cairn_args *list)
{
    if (is_named(function, length, "count") &&
        (cli_lexer_is(&r->l, ")") || cli_lexer_take(&r->l, "*")))
        return true;
    if (!cli_filter_read(&r->l, &r->known, e, list, r->error)) return false;
    if (!is_named(function, length, "quantile")) return true;
    if (!cli_lexer_take(&r->l, ","))
        return cli_lexer_expected(&r->l, ", and a number from 0 to 1: quantile(value, 0.9)",
                                  r->error);
    struct cli_number q = cli_number_parse(r->l.text + r->l.token.from,
                                           r->l.token.to - r->l.token.from);
    double number = q.type == CLI_NUMBER_INT ? (double)q.integer : q.real;
    if ((q.type != CLI_NUMBER_DOUBLE && q.type != CLI_NUMBER_INT) || number < 0 || number > 1)
        return cli_lexer_expected(&r->l, "a number from 0 to 1", r->error);
    cairn_args_double(list, number);
    cli_lexer_next(&r->l);
    return true;
}

/* function(value) as name: [function, value] under the name. */
static bool aggregate(struct reader *r)
{
    struct cli_token function = r->l.token;
    const char *text = r->l.text + function.from;
    size_t length = function.to - function.from;
    struct cli_expression e = {.type = CLI_TYPE_UNKNOWN};
    struct cli_text name = {0};
    struct cairn_args *list = cairn_args_create();
    bool done = list || fail_memory(r);
    cli_lexer_next(&r->l);
    if (done) cairn_args_str(list, text, length);
    if (done && cli_lexer_take(&r->l, "(")) {
        done = aggregate_value(r, text, length, &e, list) &&
               (cli_lexer_take(&r->l, ")") || cli_lexer_expected(&r->l, ")", r->error));
    } else if (done && !is_named(text, length, "count")) {
        done = cli_lexer_expected(&r->l, "( and a value", r->error);
    }
    name_as_written(r, function.from, r->l.before.to, &name);
    done = done && given_name(r, &name) &&
           add_name(r, &r->results, &name, result_type(text, length, &e), function.from);
    if (done) {
        cli_path_key(r->args, name.data, name.length);
        cairn_args_array_open(r->args);
        cairn_args_append(r->args, list);
        cairn_args_array_close(r->args);
    }
    cairn_args_destroy(list);
    cli_text_close(&name);
    return done;
}

static bool aggregates(struct reader *r)
{
    cairn_args_cstr(r->args, "agg");
    cairn_args_map_open(r->args);
    do {
        if (!is_aggregate(r))
            return cli_lexer_expected(&r->l, "count, sum(…), min, max, avg, var, stddev, quantile, "
                                      "median, distinct, approx_distinct, first or last",
                                      r->error);
        if (!aggregate(r)) return false;
    } while (cli_lexer_take(&r->l, ","));
    cairn_args_map_close(r->args);
    return true;
}

/* by keys, aggregates: in front of the other clauses. */
static bool read_group(struct reader *r)
{
    bool keys = cli_lexer_take(&r->l, "by");
    if (keys && !items(r, "group")) return false;
    if (is_aggregate(r)) return aggregates(r);
    return keys || cli_lexer_expected(&r->l, "by and columns, or an aggregate as in count or "
                                      "sum(price)", r->error);
}

/* --- the other clauses ------------------------------------------------------------------*/

/* A condition, or all of one in quotes: as interactive commands have it. */
static bool condition(struct reader *r, const struct cli_fields *fields, struct cairn_args *args)
{
    struct cli_lexer inner;
    struct cli_token token = r->l.token, next = cli_lexer_peek(&r->l);
    bool quoted = token.type == CLI_TOKEN_TEXT && r->l.text[token.from] == '\'' &&
                  (next.type == CLI_TOKEN_END || next.type == CLI_TOKEN_NAME) &&
                  !(next.to - next.from == 2 && (memcmp(r->l.text + next.from, "in", 2) == 0 ||
                                                 memcmp(r->l.text + next.from, "is", 2) == 0));
    if (!quoted) return cli_filter_read(&r->l, fields, NULL, args, r->error);
    /* Offsets stay those of the whole text: the inner one ends in front of the quote. */
    cli_lexer_init(&inner, r->l.text, token.to - 1);
    inner.token.to = token.from + 1;
    cli_lexer_next(&inner);
    if (!cli_filter_read(&inner, fields, NULL, args, r->error)) return false;
    if (inner.token.type != CLI_TOKEN_END)
        return cli_lexer_expected(&inner, "and, or, or the end of the condition", r->error);
    cli_lexer_next(&r->l);
    return true;
}

static bool read_condition(struct reader *r, const char *option, const struct cli_fields *fields)
{
    bool where = *option == 'w';
    struct cairn_args *args = cairn_args_create();
    bool done = args ? condition(r, fields, args) : fail_memory(r);
    if (done) {
        cairn_args_cstr(r->args, option);
        cairn_args_append(r->args, args);
        if (where && r->where) cairn_args_append(r->where, args);
    }
    cairn_args_destroy(args);
    return done;
}

static bool order_name(struct reader *r, const struct cli_fields *fields)
{
    struct cli_expression e;
    size_t from = r->l.token.from;
    struct cairn_args *name = cairn_args_create();
    bool done = name ? cli_filter_read(&r->l, fields, &e, name, r->error) : fail_memory(r);
    if (done && !e.is_column)
        done = cli_query_fail(r->error, from, "rows are put in order by columns; give what is "
                              "computed a name with as");
    if (done) cairn_args_append(r->args, name);
    cairn_args_destroy(name);
    return done;
}

static bool read_order(struct reader *r, const struct cli_fields *fields)
{
    if (!cli_lexer_take(&r->l, "by")) return cli_lexer_expected(&r->l, "by: order by", r->error);
    cairn_args_cstr(r->args, "order");
    cairn_args_array_open(r->args);
    do {
        cairn_args_array_open(r->args);
        if (!order_name(r, fields)) return false;
        bool descending = cli_lexer_take(&r->l, "desc");
        if (!descending) cli_lexer_take(&r->l, "asc");
        cairn_args_cstr(r->args, descending ? "desc" : "asc");
        cairn_args_array_close(r->args);
    } while (cli_lexer_take(&r->l, ","));
    cairn_args_array_close(r->args);
    return true;
}

static bool read_count(struct reader *r, const char *option, int64_t *count)
{
    struct cli_number n = cli_number_parse(r->l.text + r->l.token.from,
                                           r->l.token.to - r->l.token.from);
    if (r->l.token.type != CLI_TOKEN_NUMBER || n.type != CLI_NUMBER_INT)
        return cli_lexer_expected(&r->l, "a number of rows", r->error);
    *count = n.integer;
    cairn_args_cstr(r->args, option);
    cairn_args_int(r->args, *count);
    cli_lexer_next(&r->l);
    return true;
}

static bool once(struct reader *r, bool *said)
{
    if (*said)
        return cli_query_fail(r->error, r->l.before.from, "this clause was there already");
    *said = true;
    return true;
}

static bool clause(struct reader *r)
{
    struct cli_clauses *said = r->said;
    bool group = r->kind == CLI_CLAUSES_GROUP;
    const struct cli_fields *results = group ? &r->results : &r->known;
    if (cli_lexer_take(&r->l, "where"))
        return once(r, &said->has_where) && read_condition(r, "where", &r->known);
    if (cli_lexer_take(&r->l, "order")) return once(r, &said->has_order) && read_order(r, results);
    if (cli_lexer_take(&r->l, "limit"))
        return once(r, &said->has_limit) && read_count(r, "limit", &said->limit);
    if (cli_lexer_take(&r->l, "offset"))
        return once(r, &said->has_offset) && read_count(r, "offset", &said->offset);
    if (!group && cli_lexer_take(&r->l, "select"))
        return once(r, &said->has_select) && read_select(r);
    if (group && cli_lexer_take(&r->l, "having"))
        return once(r, &said->has_having) && read_condition(r, "having", results);
    const char *more = r->l.before.to > 0 ? "an operator, " : "";
    char expected[120];
    snprintf(expected, sizeof expected, "%s%s, where, %sorder by, limit or offset", more,
             group ? "a comma" : "select", group ? "having, " : "");
    return cli_lexer_expected(&r->l, expected, r->error);
}

bool cli_clauses_read(enum cli_clauses_kind kind, const char *text, size_t length,
                      const struct cli_fields *fields, struct cairn_args *args,
                      struct cairn_args *where, struct cli_clauses *clauses,
                      struct cli_query_error *error)
{
    size_t let_bytes = 0;
    struct reader r = {.kind = kind, .args = args, .where = where, .said = clauses,
                       .error = error, .results = {.results = true}};
    *clauses = (struct cli_clauses){.limit = 0};
    cli_lexer_init(&r.l, text, length);
    r.let = cairn_args_create();
    bool done = (r.let && copy_fields(&r.known, fields)) || fail_memory(&r);
    if (done && kind == CLI_CLAUSES_GROUP) done = read_group(&r);
    while (done && r.l.token.type != CLI_TOKEN_END) done = clause(&r);
    if (done) cairn_args_bytes(r.let, &let_bytes);
    if (done && let_bytes > 0) {
        cairn_args_cstr(args, "let");
        cairn_args_map_open(args);
        cairn_args_append(args, r.let);
        cairn_args_map_close(args);
    }
    cairn_args_destroy(r.let);
    cli_fields_close(&r.known);
    cli_fields_close(&r.results);
    return done;
}
