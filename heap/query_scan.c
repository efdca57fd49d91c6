/* query_scan.c - scans: vector after vector through `where`, then either straight into the output
 * or, with `order`, as keys into a sorter and back by address.
 *
 * The output is up to 1,024 rows of the columns that were asked for. It fills over as many steps
 * as it takes; rows of a vector that do not fit any more stay pending. */
#include "heap/query_index.h"

#include <stdio.h>

#include "heap/list.h"

enum scan_phase { SCAN_READ, SCAN_SORT, SCAN_WRITE };

struct query_scan {
    enum scan_phase phase;
    struct query_source source;    /* where the pending rows are */
    uint64_t pending[QUERY_WORDS];
    bool has_pending;
    bool parts;                    /* it is read by query_next_part: pending rows are of a vector */
    struct query_code *columns;    /* of the output */
    bool reading_keys;             /* of the pending rows, before they are sorted: this one next */
    uint32_t key_next;
    uint32_t address_count;        /* sorted rows that are being written */
    uint64_t addresses[QUERY_ROWS_VECTOR];
};

bool query_budget_over(struct query *q, uint64_t deadline)
{
    if (q->work > q->work_most) q->work_most = q->work;
    q->work = 0;
    return clock_ns() >= deadline;
}

bool query_vectors_over(struct query *q, uint64_t deadline)
{
    return (q->looked >= q->looks || q->work >= q->work_max) && query_budget_over(q, deadline);
}

#define PIECE_CELLS 2048

uint32_t query_piece_rows(uint32_t cells)
{
    uint32_t rows = PIECE_CELLS / (cells ? cells : 1);
    return rows == 0 ? 1 : rows < QUERY_ROWS_VECTOR ? rows : QUERY_ROWS_VECTOR;
}

uint32_t query_positions(const uint64_t *mask, uint16_t *positions)
{
    return (uint32_t)table_kernels()->positions(mask, positions);
}

/* --- vectors -----------------------------------------------------------------------------------*/

/* Between two looks at the clock. */
#define SKIPS_MAX 64
#define PROBES_MAX 1024 /* of indexes */

void query_chunk_leave(struct query *q)
{
    q->chunk++;
    q->vector = 0;
    q->chunk_open = false;
}

bool query_chunk_open(struct query *q)
{
    enum query_zone zone;
    if (q->chunk_open) return true;
    if (query_zone_step(q, q->chunk, QUERY_NONE, &zone) == QUERY_BUSY) return false;
    q->stats.chunks++;
    uint32_t vectors = table_slots_vectors(table_chunk_slots(q->version, q->chunk));
    enum index_use use = INDEX_SCAN;
    bool nothing = zone == ZONE_NONE;
    if (!nothing && q->index) use = query_index_enter(q);
    if (nothing || use == INDEX_NOTHING) {
        q->stats.chunks_skipped += nothing;
        query_chunk_leave(q);
        return false;
    }
    q->chunk_open = true;
    q->stats.vectors += vectors;
    if (use == INDEX_CANDIDATES) q->stats.vectors_skipped += query_index_empty(q->index, vectors);
    return true;
}

/* The open chunk's next vector to look at. False: none is left, or not yet. */
static bool next_vector_zone(struct query *q, enum query_zone *zone)
{
    if (!query_chunk_open(q)) return false;
    if (q->index && q->index->active && !q->zones.open) {
        uint32_t next = query_index_next_vector(q->index, q->vector);
        if (next == QUERY_NONE) {
            query_chunk_leave(q);
            return false;
        }
        q->vector = next;
    }
    return query_zone_step(q, q->chunk, q->vector, zone) == 0;
}

/* The rows of a vector that are not deleted. */
static void live_rows(struct query *q, const struct query_source *s, uint64_t *mask)
{
    if (table_chunk_deleted(q->version, s->chunk))
        table_vector_live(q->version, s->chunk, s->vector, mask);
    else bitmap_first(mask, s->rows);
}

/* `where` on a vector, begun or gone on with. */
static int test_vector(struct query *q, const struct query_source *s, uint64_t *mask)
{
    int error = query_run_predicate(q, s, &q->where, mask, mask);
    q->testing = error == QUERY_BUSY;
    if (error == QUERY_BUSY) q->tested = *s;
    return error;
}

/* 1 if rows are left. */
static int count_matched(struct query *q, const uint64_t *mask)
{
    uint64_t matched = bitmap_count(mask);
    q->stats.rows_matched += matched;
    return matched != 0;
}

int query_next_vector(struct query *q, struct query_source *s, uint64_t *mask)
{
    if (q->index) q->index->probes = 0;
    if (q->looked >= q->looks) q->looked = 0;
    if (q->testing) {
        *s = q->tested;
        int error = test_vector(q, s, mask);
        if (error) return error;
        if (count_matched(q, mask)) return 1;
    }
    for (unsigned skips = 0; skips < SKIPS_MAX && q->looked < q->looks; skips++) {
        enum query_zone zone;
        if (skips && q->work >= q->work_max) break;
        if (q->chunk == table_version_chunks(q->version)) return 0;
        if (q->index && q->index->probes > PROBES_MAX) break;
        if (!next_vector_zone(q, &zone)) continue;
        bool candidates = q->index && q->index->active;
        uint32_t slots = table_chunk_slots(q->version, q->chunk);
        uint32_t first = q->vector * QUERY_ROWS_VECTOR;
        *s = (struct query_source){.form = SOURCE_VECTOR, .chunk = q->chunk, .vector = q->vector,
                                   .rows = slots - first < QUERY_ROWS_VECTOR
                                               ? slots - first : QUERY_ROWS_VECTOR};
        if (++q->vector == table_slots_vectors(slots)) query_chunk_leave(q);
        if (zone == ZONE_NONE) {
            q->stats.vectors_skipped++;
            continue;
        }
        live_rows(q, s, mask);
        q->looked++;
        if (candidates) bits_and(mask, q->index->candidates + s->vector * QUERY_WORDS);
        if (zone == ZONE_ALL) q->stats.vectors_whole++;
        else {
            int error = test_vector(q, s, mask);
            if (error) return error;
        }
        if (count_matched(q, mask)) return 1;
    }
    q->looked = q->looks;
    return QUERY_BUSY;
}

/* --- output ------------------------------------------------------------------------------------*/

int query_open_output(struct query *q, uint32_t count)
{
    q->column_count = count;
    q->columns = query_alloc(q, (count + 1) * sizeof *q->columns);
    q->output = query_alloc(q, (count + 1) * sizeof *q->output);
    q->batch = query_alloc(q, (count + 1) * sizeof *q->batch);
    return q->columns && q->output && q->batch ? 0 : query_fail_memory(q);
}

/* Room for the rows of a column. 0 or an error. */
static int open_output_vector(struct query *q, uint32_t column)
{
    bool text = table_type_class(q->columns[column].type) == TABLE_CLASS_TEXT;
    size_t bytes = QUERY_ROWS_VECTOR * (text ? sizeof(struct table_text) : sizeof(uint64_t));
    if (q->output[column].any) return 0;
    query_work(q, bytes / 4);
    q->output[column].any = query_alloc(q, bytes);
    return q->output[column].any ? 0 : query_fail_memory(q);
}

/* Copies bits [first, first + count) of a bitmap to bits [at, ...) of another, word by word. */
static void copy_bits(uint64_t *to, uint32_t at, const uint64_t *from, uint32_t first,
                      uint32_t count)
{
    while (count > 0) {
        uint32_t part = 64 - at % 64, left = 64 - first % 64;
        if (part > left) part = left;
        if (part > count) part = count;
        uint64_t mask = part == 64 ? UINT64_MAX : ((uint64_t)1 << part) - 1;
        uint64_t bits = from[first / 64] >> first % 64 & mask;
        to[at / 64] = (to[at / 64] & ~(mask << at % 64)) | bits << at % 64;
        at += part;
        first += part;
        count -= part;
    }
}

/* How long the text of an output column is in a row; a symbol is as long as what it stands for. */
static size_t text_bytes(const struct query *q, uint32_t column, uint32_t at)
{
    const struct query_vector *v = &q->output[column];
    const struct query_column *c = &q->columns[column];
    if (!bits_get(v->valid, at)) return 0;
    if (table_type_class(c->type) == TABLE_CLASS_TEXT) return v->t[at].length;
    return table_symbol(q->table, c->column, (uint32_t)v->u[at]).length;
}

/* Texts and symbols of an output column, each to the bytes of its row. */
static void add_text_bytes(struct query *q, uint32_t column, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        q->appending.text_bytes[i] += text_bytes(q, column, q->output_rows + i);
}

/* Appends rows of a register, dense, to an output column. */
static void gather(struct query *q, uint32_t column, const struct query_vector *from,
                   const uint16_t *positions, uint32_t count)
{
    struct query_vector *to = &q->output[column];
    bool text = table_type_class(q->columns[column].type) == TABLE_CLASS_TEXT;
    uint32_t at = q->output_rows;
    if (count > 0 && positions[count - 1] - positions[0] == (int)count - 1) { /* side by side */
        uint32_t first = positions[0];
        if (text) memcpy(to->t + at, from->t + first, count * sizeof *to->t);
        else memcpy(to->u + at, from->u + first, count * sizeof *to->u);
        copy_bits(to->valid, at, from->valid, first, count);
        return;
    }
    if (text)
        for (uint32_t i = 0; i < count; i++) to->t[at + i] = from->t[positions[i]];
    else
        for (uint32_t i = 0; i < count; i++) to->u[at + i] = from->u[positions[i]];
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bit = (uint64_t)1 << (at + i) % 64;
        if (bits_get(from->valid, positions[i])) to->valid[(at + i) / 64] |= bit;
        else to->valid[(at + i) / 64] &= ~bit;
    }
}

/* How many of `count` new rows go into the batch, so that it ends with the one that reaches
 * bytes_max. */
static uint32_t rows_within(struct query *q, uint32_t count, size_t bytes_max)
{
    size_t bytes = q->output_bytes, row_bytes = q->column_count * sizeof(uint64_t);
    uint32_t row = 0;
    for (; row < count && (bytes_max == 0 || bytes < bytes_max); row++)
        bytes += row_bytes + q->appending.text_bytes[row];
    q->output_bytes = bytes;
    return row;
}

/* Zeros and NaNs of what was sorted by have lost their bits in the keys. */
static void restore_bits(struct query *q, const struct query_source *s, uint32_t column)
{
    struct query_vector *v = &q->registers[0];
    struct table_cell cell;
    for (uint32_t i = 0; i < s->rows; i++) {
        if (!bits_get(v->valid, i) || (v->d[i] != 0 && v->d[i] == v->d[i])) continue;
        table_cell(q->version, (uint32_t)(s->addresses[i] >> 16),
                   (uint32_t)(s->addresses[i] & 0xffff), column, &cell);
        v->d[i] = cell.d;
    }
}

/* Rows that were sorted by this column come with their values. */
static bool compute_from_keys(struct query *q, const struct query_source *s, uint32_t column)
{
    for (uint32_t k = 0; k < q->order_count; k++) {
        if (q->order[k].column != column || kind_is_text(q->order[k].kind)) continue;
        sorter_read_key(q->sorter, k, s->rows, &q->registers[0]);
        if (q->order[k].kind == QUERY_FLOAT) restore_bits(q, s, column);
        return true;
    }
    return false;
}

/* The values of an output column in a register. */
static int compute(struct query *q, const struct query_source *s, uint32_t column,
                   const uint64_t *mask)
{
    const struct query_code *code = &q->scan->columns[column];
    if (code->column == QUERY_NONE) return query_run(q, s, code, mask);
    if (s->form == SOURCE_ADDRESSES && compute_from_keys(q, s, code->column)) return 0;
    query_load_codes(q, s, code->column, &q->registers[0]);
    return 0;
}

#define WORK_COLUMN 1024 /* of a column of a vector, and 1 for each row that is appended */

/* The next column of the rows that are being appended. */
static int append_column(struct query *q, const struct query_source *s, const uint64_t *mask)
{
    struct query_appending *x = &q->appending;
    bool result = s->form == SOURCE_RESULT;
    uint32_t c = x->column;
    int error = result ? 0 : compute(q, s, c, mask);
    if (!error) error = open_output_vector(q, c);
    if (error) return error;
    gather(q, c, result ? &s->result[c] : &q->registers[0], x->positions, x->count);
    enum table_class class = table_type_class(q->columns[c].type);
    if (class == TABLE_CLASS_TEXT || class == TABLE_CLASS_SYMBOL) add_text_bytes(q, c, x->count);
    x->column++;
    return 0;
}

int query_append(struct query *q, const struct query_source *s, uint64_t *mask, uint32_t rows_max,
                 size_t bytes_max)
{
    struct query_appending *x = &q->appending;
    uint32_t room = rows_max > q->output_rows ? rows_max - q->output_rows : 0;
    if (!x->open) {
        x->count = query_positions(mask, x->positions);
        if (x->count > room) x->count = room;
        memset(x->text_bytes, 0, x->count * sizeof *x->text_bytes);
        x->column = 0;
        x->open = true;
    }
    while (x->column < q->column_count) {
        int error = append_column(q, s, mask);
        if (error) return error;
        if (query_work(q, WORK_COLUMN + x->count) && x->column < q->column_count)
            return QUERY_BUSY;
    }
    x->open = false;
    uint32_t count = rows_within(q, x->count < room ? x->count : room, bytes_max);
    q->output_rows += count;
    for (uint32_t i = 0; i < count; i++)
        mask[x->positions[i] / 64] &= ~((uint64_t)1 << x->positions[i] % 64);
    return 0;
}

int query_give(struct query *q, struct query_batch *batch)
{
    for (uint32_t c = 0; c < q->column_count; c++)
        q->batch[c] = (struct query_batch_column){.data = q->output[c].any,
                                                  .valid = q->output[c].valid};
    *batch = (struct query_batch){.rows = q->output_rows, .columns = q->batch};
    q->stats.rows_returned += q->output_rows;
    q->output_rows = 0;
    q->output_bytes = 0;
    return QUERY_ROWS;
}

/* --- without order -----------------------------------------------------------------------------*/

uint64_t query_trim(struct query *q, uint64_t *mask)
{
    uint64_t beyond = 0;
    for (unsigned w = 0; w < QUERY_WORDS; w++) {
        uint64_t word = mask[w], kept = 0;
        uint64_t count = (uint64_t)__builtin_popcountl(word);
        if (q->offset >= count) {
            q->offset -= count;
            mask[w] = 0;
            continue;
        }
        for (; q->offset; q->offset--) word &= word - 1;
        count = (uint64_t)__builtin_popcountl(word);
        if (q->limit >= count) {
            q->limit -= count;
            kept = word;
        } else {
            for (; q->limit; q->limit--, word &= word - 1) kept |= word & -word;
            beyond += (uint64_t)__builtin_popcountl(word);
        }
        mask[w] = kept;
    }
    return beyond;
}

bool query_batch_full(const struct query *q, uint32_t rows_max, size_t bytes_max)
{
    return q->output_rows >= rows_max || (bytes_max && q->output_bytes >= bytes_max);
}

/* Few rows of a chunk are read one by one, without decoding their vectors. */
static int next_rows(struct query *q, struct query_scan *scan)
{
    if (q->index && !q->testing) {
        uint64_t most = q->limit < UINT64_MAX - q->offset ? q->limit + q->offset : UINT64_MAX;
        int found = query_index_gather(q, most, &scan->source, scan->pending);
        if (found != QUERY_END) return found;
    }
    return query_next_vector(q, &scan->source, scan->pending);
}

/* The next rows become pending: QUERY_ROWS. QUERY_BUSY: none yet; QUERY_END; or an error. */
static int find_pending(struct query *q, struct query_scan *scan)
{
    if (q->limit == 0) return QUERY_END;
    int found = scan->parts ? query_next_vector(q, &scan->source, scan->pending)
                            : next_rows(q, scan);
    if (found != QUERY_ROWS) return found;
    q->stats.rows_matched -= query_trim(q, scan->pending);
    scan->has_pending = bits_any(scan->pending);
    return scan->has_pending ? QUERY_ROWS : QUERY_BUSY;
}

static int read_rows(struct query *q, uint64_t deadline, uint32_t rows_max, size_t bytes_max)
{
    struct query_scan *scan = q->scan;
    for (;;) {
        if (scan->has_pending) {
            int error = query_append(q, &scan->source, scan->pending, rows_max, bytes_max);
            if (error == QUERY_BUSY && !query_budget_over(q, deadline)) continue;
            if (error) return error;
            scan->has_pending = bits_any(scan->pending);
        }
        if (query_batch_full(q, rows_max, bytes_max)) return QUERY_ROWS;
        int found = find_pending(q, scan);
        if (found <= 0) return found;
        if (query_budget_over(q, deadline)) return QUERY_BUSY;
    }
}

/* --- with order --------------------------------------------------------------------------------*/

/* Takes rows off that the best so far leave no room for. False if that is all of them. */
static bool could_get_in(struct query *q, const struct query_source *s, uint64_t *mask)
{
    struct table_range range;
    struct table_zone zone;
    uint64_t selected[QUERY_WORDS];
    uint32_t column = q->order[0].column;
    if (column == QUERY_NONE || !sorter_range(q->sorter, &range)) return true;
    enum query_kind kind = q->order[0].kind;
    /* The order keys of small unsigned integers and of bools go below zero; the columns do not. */
    if (kind != QUERY_UINT && range.min.i < 0 &&
        table_type_class(table_field(q->table, column)->type) == TABLE_CLASS_UINT)
        range.min.u = 0;
    table_vector_zone(q->version, s->chunk, column, s->vector, &zone);
    if (zone.known && (key_of_lane(kind, zone.max.u) < key_of_lane(kind, range.min.u) ||
                       key_of_lane(kind, zone.min.u) > key_of_lane(kind, range.max.u)))
        return false;
    table_select_range(q->version, s->chunk, column, s->vector, &range, selected);
    bits_and(mask, selected);
    return bits_any(mask);
}

/* Keys of the pending rows, and then the rows, go to the sorter. */
static int read_keys(struct query *q)
{
    struct query_scan *scan = q->scan;
    const struct query_source *s = &scan->source;
    for (; scan->key_next < q->order_count; scan->key_next++) {
        const struct query_code *code = &q->order[scan->key_next];
        struct query_vector *to = &q->sorter->vectors[scan->key_next];
        query_work(q, WORK_COLUMN);
        if (code->column != QUERY_NONE) {
            query_load(q, s, code->column, to);
            continue;
        }
        int error = query_run(q, s, code, scan->pending);
        if (error) return error;
        const struct query_vector *from = &q->registers[0];
        size_t bytes = kind_is_text(code->kind) ? sizeof *to->t : sizeof *to->u;
        memcpy(to->any, from->any, QUERY_ROWS_VECTOR * bytes);
        bits_copy(to->valid, from->valid);
    }
    return sorter_add(q, q->sorter, scan->pending,
                      address_make(s->chunk, s->vector * QUERY_ROWS_VECTOR));
}

static int read_to_sorter(struct query *q, uint64_t deadline)
{
    struct query_scan *scan = q->scan;
    for (;;) {
        int found = scan->reading_keys ? QUERY_ROWS
                                       : query_next_vector(q, &scan->source, scan->pending);
        if (found <= 0) return found;
        if (found == QUERY_ROWS && !scan->reading_keys) {
            scan->reading_keys = could_get_in(q, &scan->source, scan->pending);
            scan->key_next = 0;
        }
        if (scan->reading_keys) {
            int error = read_keys(q);
            if (error < 0) return error;
            scan->reading_keys = error == QUERY_BUSY;
        }
        if (query_vectors_over(q, deadline)) return QUERY_BUSY;
    }
}

/* The next sorted rows to write. False: none are left. */
static bool take_sorted(struct query *q, uint32_t rows_max)
{
    struct query_scan *scan = q->scan;
    uint64_t room = rows_max - q->output_rows;
    uint32_t wanted = query_piece_rows(q->column_count);
    if (wanted > room) wanted = (uint32_t)room;
    if (wanted > q->limit) wanted = (uint32_t)q->limit;
    scan->address_count = sorter_read(q->sorter, scan->addresses, wanted);
    bitmap_first(scan->pending, scan->address_count);
    return scan->address_count > 0;
}

static int write_sorted(struct query *q, uint64_t deadline, uint32_t rows_max, size_t bytes_max)
{
    struct query_scan *scan = q->scan;
    while (q->appending.open || !query_batch_full(q, rows_max, bytes_max)) {
        if (scan->address_count == 0 && !take_sorted(q, rows_max)) return QUERY_END;
        uint32_t before = q->output_rows;
        struct query_source s = {.form = SOURCE_ADDRESSES, .addresses = scan->addresses,
                                 .rows = scan->address_count};
        int error = query_append(q, &s, scan->pending, rows_max, bytes_max);
        if (error < 0) return error;
        if (error == 0) {
            uint32_t taken = q->output_rows - before;
            q->sorter->read -= scan->address_count - taken;
            if (q->limit != UINT64_MAX) q->limit -= taken;
            scan->address_count = 0;
        }
        if (!query_batch_full(q, rows_max, bytes_max) && query_budget_over(q, deadline))
            return QUERY_BUSY;
    }
    return QUERY_ROWS;
}

int scan_step(struct query *q, uint64_t deadline, uint32_t rows_max, size_t bytes_max)
{
    struct query_scan *scan = q->scan;
    int outcome;
    if (!q->sorter) return read_rows(q, deadline, rows_max, bytes_max);
    switch (scan->phase) {
    case SCAN_READ:
        outcome = read_to_sorter(q, deadline);
        if (outcome) return outcome;
        scan->phase = SCAN_SORT;
        /* fall through */
    case SCAN_SORT:
        outcome = sorter_step(q, q->sorter, deadline);
        if (outcome) return outcome < 0 ? outcome : QUERY_BUSY;
        q->sorter->read = q->offset;
        scan->phase = SCAN_WRITE;
        /* fall through */
    default: return write_sorted(q, deadline, rows_max, bytes_max);
    }
}

/* --- ahead -------------------------------------------------------------------------------------*/

bool scan_take_pending(struct query *q, struct query_part *part)
{
    struct query_scan *scan = q->scan;
    scan->parts = true;
    if (!scan->has_pending) return false;
    scan->has_pending = false;
    part->chunk = scan->source.chunk;
    part->vector = scan->source.vector;
    bits_copy(part->selected, scan->pending);
    part->rows = (uint32_t)bitmap_count(part->selected);
    q->stats.rows_returned += part->rows;
    return true;
}

static int look_for_rows(struct query *q, uint64_t deadline)
{
    while (!q->scan->has_pending) {
        int found = find_pending(q, q->scan);
        if (found < 0) q->failed = found;
        if (found != QUERY_BUSY) return found < 0 ? QUERY_ROWS : found;
        if (query_budget_over(q, deadline)) return QUERY_BUSY;
    }
    return QUERY_ROWS;
}

int query_look_ahead(struct query *q, uint64_t budget_ns)
{
    const struct query_sorter *sorter = q->sorter;
    assert(q->scan);
    if (q->failed || q->output_rows) return QUERY_ROWS;
    if (!sorter) {
        uint64_t now = clock_ns();
        return look_for_rows(q, budget_ns < UINT64_MAX - now ? now + budget_ns : UINT64_MAX);
    }
    if (q->limit == 0) return QUERY_END;
    if (q->scan->phase != SCAN_WRITE) return QUERY_BUSY;
    return sorter->read < sorter->count ? QUERY_ROWS : QUERY_END;
}

int query_open_sorter(struct query *q)
{
    struct query_sort_key keys[QUERY_ORDER_MAX];
    bool small = q->limit <= QUERY_TOP_MAX && q->offset <= QUERY_TOP_MAX - q->limit;
    uint64_t top = small ? q->limit + q->offset : 0;
    for (uint32_t i = 0; i < q->order_count; i++)
        keys[i] = (struct query_sort_key){.kind = q->order[i].kind,
                                          .descending = q->descending[i]};
    return sorter_create(q, q->order_count, keys, small && top == 0 ? 1 : top, &q->sorter);
}

/* --- creation ----------------------------------------------------------------------------------*/

static int select_column(struct query *q, const struct query_scope *scope, uint32_t index,
                         uint32_t field, const struct query_code *code, const char *place)
{
    q->scan->columns[index] = *code;
    q->columns[index] = (struct query_column){
        .name = scope->fields[field].name, .name_length = scope->fields[field].length,
        .type = code->type, .null = code->null, .column = code->column};
    return query_check_name(q, index, place);
}

static int compile_select(struct query *q, const struct query_scope *scope, value select)
{
    char shown[80], place[40];
    bool all = select == VALUE_ABSENT || select == VALUE_NIL;
    if (!all && !value_is_kind(select, KIND_LIST))
        return query_fail(q, QUERY_FAULT_SYNTAX, "select: a list of names is needed, not %s",
                          query_show(q->heap, select, shown, sizeof shown));
    size_t count = all ? scope->count : list_length(q->heap, select);
    if (count == 0)
        return query_fail(q, QUERY_FAULT_SYNTAX, "select: the name of a column is needed; without "
                          "select there are all");
    if (count > QUERY_COLUMNS_MAX)
        return query_fail(q, QUERY_FAULT_LIMIT, "select: 1 to %d columns are possible, not %zu",
                          QUERY_COLUMNS_MAX, count);
    int error = query_open_output(q, (uint32_t)count);
    q->scan->columns = query_alloc(q, count * sizeof *q->scan->columns);
    if (error || !q->scan->columns) return query_fail_memory(q);
    for (uint32_t i = 0; i < count && !error; i++) {
        struct query_code code;
        uint32_t field = i;
        snprintf(place, sizeof place, "select[%u]", i);
        value name = all ? VALUE_ABSENT : list_get(q->heap, select, i);
        if (!all) error = query_find_name(q, scope, name, place, &field);
        if (!error) error = query_compile_field(q, scope, field, &code);
        if (!error) error = select_column(q, scope, i, field, &code, place);
    }
    return error;
}

static int scan_compile(struct query *q, const struct query_spec *spec)
{
    q->scan = query_alloc(q, sizeof *q->scan);
    if (!q->scan) return query_fail_memory(q);
    int error = query_open_common(q, spec);
    struct query_scope scope = {.fields = q->fields, .count = q->field_count, .table = true};
    if (!error) error = compile_select(q, &scope, spec->select);
    if (!error) error = query_compile_order(q, &scope, spec->order);
    if (!error) error = query_eval_open(q);
    if (!error && q->order_count) error = query_open_sorter(q);
    query_weigh(q);
    return error ? error : query_compiled(q);
}

int query_scan_create(struct heap *h, struct table_version *version, const struct query_spec *spec,
                      size_t memory_max, struct query **query, struct query_error *error)
{
    int status = query_new(h, version, memory_max, query, error);
    if (status) return status;
    status = scan_compile(*query, spec);
    return status ? query_new_failed(*query, status, error) : 0;
}
