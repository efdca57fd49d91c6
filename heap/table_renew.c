/* table_renew.c - see table_renew.h. For each sym column the symbols in use are counted, vector by
 * vector; then the columns that gain by it are converted, cell by cell. */
#include "heap/table_renew.h"

#include <stdlib.h>

#include "heap/table_alter.h"
#include "heap/table_int.h"

struct table_renewal {
    struct table *t;
    struct table_version *version; /* a pin, while symbols are counted */
    uint32_t column, chunk, vector;
    uint32_t symbols;              /* of the column, when counting began */
    uint64_t *used;                /* a bit for each; NULL: counting has not begun */
    bool gains;                    /* by some column */
    struct table_alter *alter;     /* NULL: not begun, or given up */
    struct table_alter_column *columns;
    uint32_t codes[TABLE_VECTOR_ROWS];
    uint64_t valid[TABLE_VECTOR_WORDS];
};

int table_renewal_open(struct table *t, struct table_renewal **out)
{
    struct table_renewal *r = calloc(1, sizeof *r);
    struct table_alter_column *columns = calloc(t->column_count, sizeof *columns);
    if (!r || !columns) {
        free(r);
        free(columns);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < t->column_count; i++)
        columns[i] = (struct table_alter_column){.field = t->fields[i], .source = i};
    *r = (struct table_renewal){.t = t, .version = table_pin(t), .columns = columns};
    *out = r;
    return 0;
}

static void end_counting(struct table_renewal *r)
{
    if (r->version) table_unpin(r->version);
    r->version = NULL;
}

static void end_column(struct table_renewal *r)
{
    free(r->used);
    r->used = NULL;
    r->column++;
    r->chunk = r->vector = 0;
}

static bool column_gains(const struct table_renewal *r)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < (r->symbols + 63) / 64; i++)
        used += (uint32_t)__builtin_popcountll(r->used[i]);
    uint32_t unused = r->symbols - used;
    return unused >= TABLE_RENEWAL_SYMBOLS_MIN && unused >= r->symbols / 4;
}

/* Marks what one vector uses. */
static void count_vector(struct table_renewal *r)
{
    uint32_t rows = table_read_codes(r->version, r->chunk, r->column, r->vector, r->codes,
                                     r->valid);
    for (uint32_t i = 0; i < rows; i++)
        if (r->valid[i / 64] >> i % 64 & 1)
            r->used[r->codes[i] / 64] |= (uint64_t)1 << r->codes[i] % 64;
    if (++r->vector < table_slots_vectors(table_chunk_slots(r->version, r->chunk))) return;
    r->vector = 0;
    r->chunk++;
}

/* A little of the counting. */
static int count_unit(struct table_renewal *r)
{
    struct symbols *s = r->t->symbols[r->column];
    if (!s || (!r->used && symbols_count(s) < TABLE_RENEWAL_SYMBOLS_MIN)) {
        end_column(r);
    } else if (!r->used) {
        r->symbols = symbols_count(s);
        r->used = calloc((r->symbols + 63) / 64, sizeof *r->used);
        if (!r->used) return -ENOMEM;
    } else if (r->chunk < table_version_chunks(r->version)) {
        count_vector(r);
    } else {
        r->columns[r->column].renew = column_gains(r);
        r->gains |= r->columns[r->column].renew;
        end_column(r);
    }
    return 0;
}

/* What is no want of memory is no reason to fail: the dictionaries stay as they are. */
static int give_up(struct table_renewal *r, int failed)
{
    if (r->alter) table_alter_abandon(r->alter);
    r->alter = NULL;
    r->gains = false;
    return failed == -ENOMEM || failed == -E2BIG ? -ENOMEM : 0;
}

static int begin_columns(struct table_renewal *r)
{
    struct table_error error;
    end_counting(r);
    if (r->t->code_holders) return give_up(r, 0);
    int failed = table_alter_open(r->t, r->columns, r->t->column_count, &r->alter, &error);
    if (!failed) return 1;
    r->alter = NULL;
    return give_up(r, failed);
}

int table_renewal_step(struct table_renewal *r, uint64_t end_ns)
{
    struct table_error error;
    if (r->t->altered) return give_up(r, 0);
    while (r->column < r->t->column_count) {
        int failed = count_unit(r);
        if (failed) return failed;
        if (clock_ns() >= end_ns) return 1;
    }
    if (!r->gains) return 0;
    if (!r->alter) return begin_columns(r);
    int more = table_alter_step(r->alter, end_ns, &error);
    return more < 0 ? give_up(r, more) : more;
}

bool table_renewal_ready(const struct table_renewal *r)
{
    return r->alter && !r->t->code_holders;
}

struct table *table_renewal_publish(struct table_renewal *r, value v)
{
    table_alter_publish(r->alter, v);
    r->alter = NULL;
    return table_of(r->t->external.heap, v);
}

void table_renewal_close(struct table_renewal *r)
{
    give_up(r, 0);
    end_counting(r);
    free(r->used);
    free(r->columns);
    free(r);
}
