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

#define NAME_BYTES_MAX 255

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
                     const char *type_name, bool computed, size_t offset)
{
    if (name->failed) return fail_memory(r);
    const char *data = name->data ? name->data : "";
    if (name->length == 0) return cli_query_fail(r->error, offset, "a name is missing");
    if (cli_fields_find(fields, data, name->length))
        return cli_query_fail(r->error, offset, "the name %.80s is there already; give another one "
                              "with as", data);
    if (name->length > NAME_BYTES_MAX)
        return cli_query_fail(r->error, offset, "this is too long for a name of %d bytes; give it "
                              "one with as", NAME_BYTES_MAX);
    if (!cli_fields_add(fields, data, name->length, type_name)) return fail_memory(r);
    fields->list[fields->count - 1].computed = computed;
    return true;
}

/* A key of a group, or an item of select: a column, or a value that let gives a name. */
static bool item(struct reader *r)
{
    struct cli_expression e;
    struct cli_text name = {0};
    struct cairn_args *value = cairn_args_create();
    size_t from = r->l.token.from;
    bool done = value ? cli_filter_read(&r->l, &r->known, &e, value, r->error) : fail_memory(r);
    bool renamed = done && cli_lexer_is(&r->l, "as");
    if (done && e.is_column)
        cli_text_add(&name, e.field->name, e.field->length);
    else if (done)
        cli_text_add(&name, r->l.text + e.from, e.to - e.from);
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
        done = add_name(r, &r->known, &name, type, !renamed, from);
    }
    if (done) cli_path_key(r->args, name.data ? name.data : "", name.length);
    if (done) {
        const struct cli_field *f = cli_fields_find(&r->known, name.data, name.length);
        done = add_name(r, &r->results, &name, f ? f->type_name : "", !e.is_column && !renamed,
                        from);
    }
    cairn_args_destroy(value);
    cli_text_close(&name);
    return done;
}

static bool is_call(const struct reader *r)
{
    struct cli_token next = cli_lexer_peek(&r->l);
    return r->l.token.type == CLI_TOKEN_NAME && next.type == CLI_TOKEN_SIGN &&
           r->l.text[next.from] == '(';
}

/* Whether the token is an aggregate, or what others call one, and no column of the table. */
static bool is_no_key(const struct reader *r)
{
    const struct cli_token t = r->l.token;
    const char *name = r->l.text + t.from;
    size_t length = t.to - t.from;
    if (r->kind != CLI_CLAUSES_GROUP || t.type != CLI_TOKEN_NAME) return false;
    if (!cli_aggregate(name, length) && !cli_aggregate_meant(name, length)) return false;
    return is_call(r) || !cli_fields_find(&r->known, name, length);
}

/* The columns of the table, as * says. */
static bool all_columns(struct reader *r)
{
    for (size_t i = 0; i < r->known.count; i++) {
        const struct cli_field *f = &r->known.list[i];
        cli_path_key(r->args, f->name, f->length);
    }
    return copy_fields(&r->results, &r->known) || fail_memory(r);
}

/* Between the keys of a group and its aggregates a comma may stand, too. `all`: the columns of the
 * table come first. */
static bool items(struct reader *r, const char *option, bool all)
{
    cairn_args_cstr(r->args, option);
    cairn_args_array_open(r->args);
    if (all && !all_columns(r)) return false;
    do {
        if (!item(r)) return false;
    } while (cli_lexer_take(&r->l, ",") && !is_no_key(r));
    cairn_args_array_close(r->args);
    return true;
}

static bool read_select(struct reader *r)
{
    bool all = cli_lexer_take(&r->l, "*");
    if (all && !cli_lexer_take(&r->l, ",")) return true;
    struct cli_token next = cli_lexer_peek(&r->l);
    bool names = next.type == CLI_TOKEN_NAME || next.type == CLI_TOKEN_QUOTED_NAME;
    if (cli_lexer_is(&r->l, "distinct") && names && !cli_fields_find(&r->known, "distinct", 8))
        return cli_query_fail(r->error, r->l.token.from, "table group shows values once: table "
                              "group NAME by %.*s", next.to - next.from < 60
                              ? (int)(next.to - next.from) : 60, r->l.text + next.from);
    return items(r, "select", all);
}

/* --- aggregates -------------------------------------------------------------------------*/

static bool is_aggregate(const struct reader *r)
{
    const struct cli_token t = r->l.token;
    return t.type == CLI_TOKEN_NAME && cli_aggregate(r->l.text + t.from, t.to - t.from) != NULL;
}

/* It is none: what it is called here, or which there are. */
static bool fail_aggregate(struct reader *r)
{
    const struct cli_token t = r->l.token;
    const char *name = r->l.text + t.from;
    const char *meant = cli_aggregate_meant(name, t.to - t.from);
    int length = t.to - t.from < 40 ? (int)(t.to - t.from) : 40;
    if (meant)
        return cli_query_fail(r->error, t.from, "there is no aggregate %.*s; it is %s", length,
                              name, meant);
    return cli_query_fail(r->error, t.from, "there is no aggregate %.*s; there are count, sum, "
                          "min, max, avg, var, stddev, quantile, median, distinct, "
                          "approx_distinct, first and last", length, name);
}

/* What a function makes of a type; "" if that varies. */
static const char *result_type(const char *function, const struct cli_expression *e)
{
    bool picks = strcmp(function, "min") == 0 || strcmp(function, "max") == 0 ||
                 strcmp(function, "first") == 0 || strcmp(function, "last") == 0;
    if (picks) return e->field ? e->field->type_name : type_name_of(e->type);
    return strcmp(function, "count") == 0 ? "i64" : "";
}

/* Inside of the parentheses: nothing, or a value, and of quantile a number behind it. */
static bool aggregate_value(struct reader *r, const char *function, struct cli_expression *e,
                            struct cairn_args *list)
{
    bool count = strcmp(function, "count") == 0;
    if (count && (cli_lexer_is(&r->l, ")") || cli_lexer_take(&r->l, "*"))) return true;
    struct cli_token next = cli_lexer_peek(&r->l);
    if (count && cli_lexer_is(&r->l, "distinct") && next.type != CLI_TOKEN_SIGN) {
        int shown = next.to - next.from < 60 ? (int)(next.to - next.from) : 60;
        return cli_query_fail(r->error, r->l.token.from, "write distinct(%.*s)", shown,
                              r->l.text + next.from);
    }
    if (!cli_filter_read(&r->l, &r->known, e, list, r->error)) return false;
    if (strcmp(function, "quantile") != 0) return true;
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
    size_t from = r->l.token.from;
    const char *function = cli_aggregate(r->l.text + from, r->l.token.to - from);
    struct cli_expression e = {.type = CLI_TYPE_UNKNOWN};
    struct cli_text name = {0};
    struct cairn_args *list = cairn_args_create();
    bool done = list || fail_memory(r);
    cli_lexer_next(&r->l);
    if (done) cairn_args_cstr(list, function);
    if (done && cli_lexer_take(&r->l, "(")) {
        done = aggregate_value(r, function, &e, list) &&
               (cli_lexer_take(&r->l, ")") || cli_lexer_expected(&r->l, ")", r->error));
    } else if (done && strcmp(function, "count") != 0) {
        done = cli_lexer_expected(&r->l, "( and a value", r->error);
    }
    if (done) cli_text_add(&name, r->l.text + from, r->l.before.to - from);
    bool renamed = done && cli_lexer_is(&r->l, "as");
    done = done && given_name(r, &name) &&
           add_name(r, &r->results, &name, result_type(function, &e), !renamed, from);
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
        if (!is_aggregate(r) && is_call(r)) return fail_aggregate(r);
        if (!is_aggregate(r))
            return cli_lexer_expected(&r->l, "count, sum(…), min, max, avg, var, stddev, quantile, "
                                      "median, distinct, approx_distinct, first or last",
                                      r->error);
        if (!aggregate(r)) return false;
    } while (cli_lexer_take(&r->l, ","));
    cairn_args_map_close(r->args);
    return true;
}

/* by keys, aggregates, in either order: in front of the other clauses. */
static bool read_group(struct reader *r)
{
    bool keys = cli_lexer_take(&r->l, "by");
    if (keys && !items(r, "group", false)) return false;
    if (is_aggregate(r)) {
        if (!aggregates(r)) return false;
        bool behind = cli_lexer_take(&r->l, "by");
        if (behind && keys)
            return cli_query_fail(r->error, r->l.before.from, "this clause was there already");
        return !behind || items(r, "group", false);
    }
    if (is_call(r)) return fail_aggregate(r);
    const struct cli_token t = r->l.token;
    if (!keys && t.type == CLI_TOKEN_NAME &&
        cli_fields_find(&r->known, r->l.text + t.from, t.to - t.from) &&
        cli_lexer_peek(&r->l).type != CLI_TOKEN_END)
        return cli_query_fail(r->error, t.from, "write by in front of %.*s",
                              t.to - t.from < 60 ? (int)(t.to - t.from) : 60, r->l.text + t.from);
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

static bool is_clause(const struct cli_lexer *l)
{
    static const char *const words[] = {"where", "limit", "offset", "select", "having", "order"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (cli_lexer_is(l, words[i])) return true;
    return false;
}

/* What is computed is put in order by as it was written: it is taken if it is there. */
static bool take_written(struct reader *r, const struct cli_fields *fields)
{
    struct cli_lexer ahead = r->l;
    size_t from = ahead.token.from, open = 0;
    while (ahead.token.type != CLI_TOKEN_END && ahead.token.type != CLI_TOKEN_BAD) {
        if (cli_lexer_is(&ahead, "(")) open++;
        if (cli_lexer_is(&ahead, ")") && open > 0) open--;
        if (open == 0 && (cli_lexer_is(&ahead, ",") || cli_lexer_is(&ahead, "asc") ||
                          cli_lexer_is(&ahead, "desc") || is_clause(&ahead)))
            break;
        cli_lexer_next(&ahead);
    }
    const struct cli_field *f =
        cli_fields_find_written(fields, r->l.text + from, ahead.before.to > from
                                                              ? ahead.before.to - from : 0);
    if (!f) return false;
    cli_path_key(r->args, f->name, f->length);
    r->l = ahead;
    return true;
}

static bool order_name(struct reader *r, const struct cli_fields *fields)
{
    struct cli_expression e;
    if (take_written(r, fields)) return true;
    size_t from = r->l.token.from;
    struct cairn_args *name = cairn_args_create();
    bool done = name ? cli_filter_read(&r->l, fields, &e, name, r->error) : fail_memory(r);
    if (done && !e.is_column)
        done = cli_query_fail(r->error, from, "rows are put in order by columns, downwards with "
                              "desc; give what is computed a name with as");
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
    if (!group && cli_lexer_is(&r->l, "group"))
        return cli_query_fail(r->error, r->l.token.from, "groups are for table group: table group "
                              "NAME by COLUMN count, 'sum(COLUMN)'");
    const struct cli_token t = r->l.token;
    if (r->l.before.to == 0 && t.type == CLI_TOKEN_NAME &&
        cli_fields_find(&r->known, r->l.text + t.from, t.to - t.from))
        return cli_query_fail(r->error, t.from, "a condition begins with where, and columns with "
                              "select");
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
