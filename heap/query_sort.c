/* query_sort.c - order, in steps.
 *
 * Keys become words that order as unsigned numbers (query_int.h), and rows become entries of such
 * words and an address. With a small limit, entries go through a heap that keeps the best. Else
 * they go to blocks: numbers are then sorted by radix, least digit first, passing over digits that
 * are the same in all entries; texts by sorting blocks and merging them, sixteen runs at a time.
 *
 * Rows are added in the order of their addresses, and rows that are equal stay in it: the radix
 * sort is stable, and comparisons end with the address.
 *
 * Texts may be long and begin alike, so that each comparison counts as work, and all that compares
 * texts stops between two entries. */
#include "heap/query_int.h"

/* --- entries -----------------------------------------------------------------------------------*/

#define SORT_ADDRESS (((uint64_t)1 << SORT_NULL_SHIFT) - 1)

static struct table_text entry_text(const uint64_t *word)
{
    return (struct table_text){(const char *)(uintptr_t)word[1], word[2]};
}

/* By itself: gcc 12 -O2 was seen to leave the loop over keys at the first null when this was inside
 * of it. */
static int compare_key(struct query_sorter *s, const struct query_sort_key *key, const uint64_t *a,
                       const uint64_t *b, unsigned null_a, unsigned null_b)
{
    const uint64_t *x = a + key->word, *y = b + key->word;
    if (*x < *y) return -1;
    if (*x > *y) return 1;
    if (null_a | null_b) return (int)null_a - (int)null_b;
    if (!kind_is_text(key->kind)) return 0;
    s->bytes_compared += x[2] < y[2] ? x[2] : y[2];
    int order = text_order(entry_text(x), entry_text(y));
    return key->descending ? -order : order;
}

static int compare_entries(struct query_sorter *s, const uint64_t *a, const uint64_t *b)
{
    uint64_t last_a = a[s->words - 1], last_b = b[s->words - 1];
    for (uint32_t k = 0; k < s->key_count; k++) {
        int order = compare_key(s, &s->keys[k], a, b, last_a >> (SORT_NULL_SHIFT + k) & 1,
                                last_b >> (SORT_NULL_SHIFT + k) & 1);
        if (order) return order;
    }
    return (last_a & SORT_ADDRESS) < (last_b & SORT_ADDRESS) ? -1 : 1;
}

static bool entry_less(struct query_sorter *s, const uint64_t *a, const uint64_t *b)
{
    if (a[0] != b[0]) return a[0] < b[0];
    return compare_entries(s, a, b) < 0;
}

#define MERGE_BYTES ((uint64_t)1 << 16) /* of texts, before it is asked whether that is enough */
#define WORK_ENTRY 64 /* with what is compared of keys that are short */

/* Entries were put where they belong. Whether that is enough. */
static bool entry_work(struct query *q, struct query_sorter *s, uint64_t entries)
{
    uint64_t work = entries * WORK_ENTRY + s->bytes_compared / 16;
    s->bytes_compared = 0;
    return query_work(q, work);
}

static void make_entry(const struct query_sorter *s, unsigned row, uint64_t address, uint64_t *e)
{
    for (uint32_t k = 0; k < s->key_count; k++) {
        const struct query_vector *v = &s->vectors[k];
        uint64_t *word = e + s->keys[k].word;
        bool text = kind_is_text(s->keys[k].kind);
        if (!bits_get(v->valid, row)) {
            address |= (uint64_t)1 << (SORT_NULL_SHIFT + k);
            word[0] = UINT64_MAX;
            if (text) word[1] = word[2] = 0;
            continue;
        }
        uint64_t key = text ? key_of_text(v->t[row]) : key_of_lane(s->keys[k].kind, v->u[row]);
        word[0] = s->keys[k].descending ? ~key : key;
        if (!text) continue;
        word[1] = (uintptr_t)v->t[row].data;
        word[2] = v->t[row].length;
    }
    e[s->words - 1] = address;
}

/* --- making one --------------------------------------------------------------------------------*/

int sorter_create(struct query *q, uint32_t key_count, const struct query_sort_key *keys,
                  uint64_t top, struct query_sorter **sorter)
{
    struct query_sorter *s = query_alloc(q, sizeof *s);
    *sorter = s;
    if (!s) return query_fail_memory(q);
    s->key_count = key_count;
    s->vectors = query_alloc(q, s->key_count * sizeof *s->vectors);
    if (!s->vectors) return query_fail_memory(q);
    for (uint32_t k = 0; k < s->key_count; k++) {
        bool text = kind_is_text(keys[k].kind);
        s->keys[k] = keys[k];
        s->keys[k].word = (uint8_t)s->words;
        s->words += text ? 3 : 1;
        s->texts |= text;
        s->vectors[k].any = query_alloc(q, QUERY_ROWS_VECTOR * (text ? sizeof(struct table_text)
                                                                     : sizeof(uint64_t)));
        if (!s->vectors[k].any) return query_fail_memory(q);
    }
    s->words++;
    s->top = top;
    if (top) s->heap = query_alloc(q, top * s->words * sizeof *s->heap);
    else if (!s->texts)
        s->histograms = query_alloc(q, s->key_count * SORT_DIGITS * sizeof *s->histograms);
    bool ready = top ? s->heap != NULL : s->texts || s->histograms;
    return ready ? 0 : query_fail_memory(q);
}

/* --- the best ----------------------------------------------------------------------------------*/

static void entry_copy(const struct query_sorter *s, uint64_t *to, const uint64_t *from)
{
    for (uint32_t i = 0; i < s->words; i++) to[i] = from[i];
}

/* Puts `e` where it belongs below `at`, in a heap of `count` with the worst first. */
static void sift_down(struct query_sorter *s, uint64_t at, uint64_t count, const uint64_t *e)
{
    for (;;) {
        uint64_t child = 2 * at + 1;
        if (child >= count) break;
        uint64_t *c = s->heap + child * s->words;
        if (child + 1 < count && entry_less(s, c, c + s->words)) {
            child++;
            c += s->words;
        }
        if (!entry_less(s, e, c)) break;
        entry_copy(s, s->heap + at * s->words, c);
        at = child;
    }
    entry_copy(s, s->heap + at * s->words, e);
}

static void sift_up(struct query_sorter *s, uint64_t at, const uint64_t *e)
{
    while (at) {
        uint64_t parent = (at - 1) / 2;
        uint64_t *p = s->heap + parent * s->words;
        if (!entry_less(s, p, e)) break;
        entry_copy(s, s->heap + at * s->words, p);
        at = parent;
    }
    entry_copy(s, s->heap + at * s->words, e);
}

static void add_top(struct query_sorter *s, unsigned row, uint64_t address)
{
    uint64_t e[3 * QUERY_ORDER_MAX + 1];
    make_entry(s, row, address, e);
    if (s->count < s->top) sift_up(s, s->count++, e);
    else if (entry_less(s, e, s->heap)) sift_down(s, 0, s->count, e);
}

bool sorter_worst(const struct query_sorter *s, uint64_t *lane, struct table_text *text,
                  bool *null)
{
    if (!s->top || s->count < s->top) return false;
    const struct query_sort_key *key = &s->keys[0];
    const uint64_t *worst = s->heap + key->word;
    *null = s->heap[s->words - 1] >> SORT_NULL_SHIFT & 1;
    *text = (struct table_text){NULL, 0};
    *lane = 0;
    if (*null) return true;
    if (kind_is_text(key->kind)) *text = entry_text(worst);
    else *lane = lane_of_key(key->kind, key->descending ? ~*worst : *worst);
    return true;
}

bool sorter_range(const struct query_sorter *s, struct table_range *range)
{
    enum query_kind kind = s->keys[0].kind;
    if (!s->top || s->count < s->top || s->keys[0].word || kind_is_text(kind)) return false;
    uint64_t worst = s->heap[0];
    if (worst == UINT64_MAX) return false;
    bool descending = s->keys[0].descending;
    uint64_t least = kind == QUERY_FLOAT ? key_of_double(-__builtin_inf()) : 0;
    uint64_t most = kind == QUERY_FLOAT ? KEY_NAN : UINT64_MAX;
    range->min.u = lane_of_key(kind, descending ? ~worst : least);
    range->max.u = lane_of_key(kind, descending ? most : worst);
    return true;
}

/* --- all ---------------------------------------------------------------------------------------*/

/* The place for entry `index`, whose block is made if need be. */
static uint64_t *block_entry(struct query *q, const struct query_sorter *s, uint64_t **blocks,
                             uint64_t index)
{
    uint64_t **block = &blocks[index / SORT_BLOCK_ROWS];
    if (!*block) *block = query_alloc(q, SORT_BLOCK_ROWS * s->words * sizeof **block);
    return *block ? *block + index % SORT_BLOCK_ROWS * s->words : NULL;
}

static void count_digits(struct query_sorter *s, const uint64_t *e)
{
    uint32_t(*histogram)[256] = s->histograms;
    for (uint32_t k = 0; k < s->key_count; k++) {
        for (unsigned i = 0; i < 8; i++) (*histogram++)[e[k] >> 8 * i & 255]++;
        (*histogram++)[e[s->words - 1] >> (SORT_NULL_SHIFT + k) & 1]++;
    }
}

static int add_to_blocks(struct query *q, struct query_sorter *s, unsigned row, uint64_t address)
{
    if (s->count % SORT_BLOCK_ROWS == 0) {
        if (s->count + SORT_BLOCK_ROWS > UINT32_MAX)
            return query_fail(q, QUERY_FAULT_LIMIT, "order: more than %u rows cannot be sorted; "
                              "give a limit of at most %d", UINT32_MAX, QUERY_TOP_MAX);
        int error = query_grow(q, &s->blocks, s->block_count, &s->block_capacity,
                               sizeof *s->blocks);
        if (error) return error;
        s->blocks[s->block_count] = NULL;
        if (!block_entry(q, s, s->blocks, s->count)) return query_fail_memory(q);
        s->block_count++;
    }
    uint64_t *e = s->blocks[s->count / SORT_BLOCK_ROWS] + s->count % SORT_BLOCK_ROWS * s->words;
    make_entry(s, row, address, e);
    if (s->histograms) count_digits(s, e);
    s->count++;
    return 0;
}

int sorter_add(struct query *q, struct query_sorter *s, uint64_t *mask, uint64_t base)
{
    for (unsigned w = 0; w < QUERY_WORDS; w++) {
        for (uint64_t left = mask[w]; left; left &= left - 1) {
            unsigned row = w * 64 + (unsigned)__builtin_ctzl(left);
            if (!s->top) {
                int error = add_to_blocks(q, s, row, base + row);
                if (error) return error;
                continue;
            }
            add_top(s, row, base + row);
            if (!s->texts || !entry_work(q, s, 1)) continue;
            mask[w] = left & (left - 1);
            return bits_any(mask) ? QUERY_BUSY : 0;
        }
        mask[w] = 0;
    }
    return 0;
}

/* --- radix -------------------------------------------------------------------------------------*/

static uint32_t digit_count(const struct query_sorter *s) { return s->key_count * SORT_DIGITS; }

/* Passes go from the last key's lowest byte to whether the first key is null. */
static uint32_t histogram_of(const struct query_sorter *s, uint32_t digit)
{
    return (s->key_count - 1 - digit / SORT_DIGITS) * SORT_DIGITS + digit % SORT_DIGITS;
}

/* Finds where each value of the digit begins. False if all entries have the same. */
static bool pass_begin(struct query_sorter *s)
{
    const uint32_t *histogram = s->histograms[histogram_of(s, s->digit)];
    uint64_t place = 0;
    for (unsigned i = 0; i < 256; i++) {
        if (histogram[i] == s->count) return false;
        s->places[i] = place;
        place += histogram[i];
    }
    s->at = 0;
    s->pass_open = true;
    return true;
}

/* The first entries of a pass go to as many blocks as a digit has values, which are made then: no
 * more than so many between two looks at the clock. */
#define PASS_BLOCKS_MAX 16

/* Entries of one key. */
static int pass_pairs(struct query *q, struct query_sorter *s, const uint64_t *e, uint32_t word,
                      unsigned shift, unsigned mask, uint64_t end)
{
    uint64_t **other = s->other, *places = s->places, at = s->at;
    unsigned made = 0;
    for (; at < end; at++, e += 2) {
        uint64_t *next = &places[e[word] >> shift & mask], place = *next;
        uint64_t *to = other[place / SORT_BLOCK_ROWS];
        if (unlikely(!to)) {
            if (made++ == PASS_BLOCKS_MAX) break;
            if (!block_entry(q, s, other, place)) return query_fail_memory(q);
            to = other[place / SORT_BLOCK_ROWS];
        }
        *next = place + 1;
        to += place % SORT_BLOCK_ROWS * 2;
        to[0] = e[0];
        to[1] = e[1];
    }
    s->at = at;
    return 0;
}

/* Moves what is left of one block's entries to their places, or a part of it. */
static int pass_block(struct query *q, struct query_sorter *s)
{
    uint32_t key = s->key_count - 1 - s->digit / SORT_DIGITS, digit = s->digit % SORT_DIGITS;
    uint32_t word = digit == 8 ? s->words - 1 : key;
    unsigned shift = digit == 8 ? SORT_NULL_SHIFT + key : digit * 8, mask = digit == 8 ? 1 : 255;
    const uint64_t *e = sorter_entry(s, s->at);
    uint64_t end = (s->at / SORT_BLOCK_ROWS + 1) * SORT_BLOCK_ROWS;
    unsigned made = 0;
    if (end > s->count) end = s->count;
    if (s->words == 2) return pass_pairs(q, s, e, word, shift, mask, end);
    for (; s->at < end; s->at++, e += s->words) {
        uint64_t *place = &s->places[e[word] >> shift & mask];
        if (!s->other[*place / SORT_BLOCK_ROWS] && made++ == PASS_BLOCKS_MAX) return 0;
        uint64_t *to = block_entry(q, s, s->other, *place);
        if (!to) return query_fail_memory(q);
        entry_copy(s, to, e);
        ++*place;
    }
    return 0;
}

static int radix_step(struct query *q, struct query_sorter *s, uint64_t deadline)
{
    if (!s->other && !(s->other = query_alloc(q, (s->block_count + 1) * sizeof *s->other)))
        return query_fail_memory(q);
    while (s->digit < digit_count(s)) {
        if (s->pass_open || pass_begin(s)) {
            int error = pass_block(q, s);
            if (error) return error;
            if (s->at == s->count) {
                uint64_t **swap = s->blocks;
                s->blocks = s->other;
                s->other = swap;
                s->pass_open = false;
                s->digit++;
            }
            if (query_budget_over(q, deadline)) return 1;
        } else {
            s->digit++;
        }
    }
    s->done = true;
    return 0;
}

/* --- merging -----------------------------------------------------------------------------------*/

static uint32_t rows_in_block(const struct query_sorter *s, uint32_t block)
{
    uint64_t left = s->count - (uint64_t)block * SORT_BLOCK_ROWS;
    return left < SORT_BLOCK_ROWS ? (uint32_t)left : SORT_BLOCK_ROWS;
}

static const uint64_t *run_entry(const struct query_sorter *s, unsigned run)
{
    return s->blocks[s->merge.runs[run].block] + (size_t)s->merge.runs[run].row * s->words;
}

/* Merges from[a, b) and from[b, end) of entries to to[a, end), on from where it stopped. False:
 * not all of them yet. */
static bool merge_pair(struct query *q, struct query_sorter *s, const uint64_t *from, uint64_t *to,
                       uint32_t a, uint32_t b, uint32_t end)
{
    uint32_t left = s->merge.left, right = s->merge.right;
    for (uint32_t i = left + right - b; i < end; i++) {
        const uint64_t *l = from + (size_t)left * s->words, *r = from + (size_t)right * s->words;
        bool take_left = right >= end || (left < b && !entry_less(s, r, l));
        entry_copy(s, to + (size_t)i * s->words, take_left ? l : r);
        if (take_left) left++;
        else right++;
        if (s->bytes_compared < MERGE_BYTES || !entry_work(q, s, 1) || i + 1 == end) continue;
        s->merge.left = left;
        s->merge.right = right;
        return false;
    }
    entry_work(q, s, end - a);
    return true;
}

/* A block is sorted by merging runs of 1, 2, 4, … entries to and fro: one such pass, or a part of
 * it if texts are long. */
static int sort_pass(struct query *q, struct query_sorter *s, uint32_t block)
{
    uint32_t rows = rows_in_block(s, block), width = s->merge.rows ? s->merge.rows : 1;
    uint64_t *from = s->blocks[block], *to = s->merge.spare;
    if (!to && !(to = query_alloc(q, SORT_BLOCK_ROWS * s->words * sizeof *to)))
        return query_fail_memory(q);
    s->merge.spare = to;
    if (width >= rows) { /* a single entry */
        s->merge.rows = 0;
        return 0;
    }
    s->merge.rows = width;
    for (uint32_t a = s->merge.first; a < rows; a += 2 * width) {
        uint32_t b = a + width < rows ? a + width : rows;
        if (s->merge.right == 0) {
            s->merge.left = a;
            s->merge.right = b;
        }
        s->merge.first = a;
        if (!merge_pair(q, s, from, to, a, b, b + width < rows ? b + width : rows)) return 0;
        s->merge.right = 0;
    }
    s->merge.first = 0;
    s->merge.rows = 2 * width;
    s->blocks[block] = to;
    s->merge.spare = from;
    if (s->merge.rows >= rows) s->merge.rows = 0;
    return 0;
}

/* The heap of runs, the one with the least entry first. */
static void runs_sift_down(struct query_sorter *s, unsigned at)
{
    uint8_t *heap = s->merge.heap;
    for (;;) {
        unsigned least = at;
        for (unsigned child = 2 * at + 1; child <= 2 * at + 2 && child < s->merge.ways; child++)
            if (entry_less(s, run_entry(s, heap[child]), run_entry(s, heap[least]))) least = child;
        if (least == at) return;
        uint8_t swap = heap[at];
        heap[at] = heap[least];
        heap[least] = swap;
        at = least;
    }
}

static void merge_begin(struct query_sorter *s)
{
    uint32_t width = s->merge.width;
    s->merge.ways = 0;
    for (uint32_t b = s->merge.group; b < s->block_count && s->merge.ways < SORT_WAYS; b += width) {
        uint32_t end = b + width < s->block_count ? b + width : s->block_count;
        s->merge.runs[s->merge.ways].block = b;
        s->merge.runs[s->merge.ways].end = end;
        s->merge.runs[s->merge.ways].row = 0;
        s->merge.heap[s->merge.ways] = (uint8_t)s->merge.ways;
        s->merge.ways++;
    }
    for (unsigned i = s->merge.ways / 2 + 1; i-- > 0;) runs_sift_down(s, i);
    s->at = (uint64_t)s->merge.group * SORT_BLOCK_ROWS;
    s->pass_open = true;
}

/* The least entry's run goes one on. A block that is used up becomes the spare one. */
static void run_advance(struct query *q, struct query_sorter *s)
{
    unsigned run = s->merge.heap[0];
    if (++s->merge.runs[run].row == rows_in_block(s, s->merge.runs[run].block)) {
        uint32_t block = s->merge.runs[run].block++;
        query_free(q, s->merge.spare);
        s->merge.spare = s->blocks[block];
        s->blocks[block] = NULL;
        s->merge.runs[run].row = 0;
        if (s->merge.runs[run].block == s->merge.runs[run].end)
            s->merge.heap[0] = s->merge.heap[--s->merge.ways];
    }
    if (s->merge.ways) runs_sift_down(s, 0);
}

#define MERGE_ROWS 512 /* at once; divides SORT_BLOCK_ROWS */

/* Merges the next part of a block. */
static int merge_part(struct query *q, struct query_sorter *s)
{
    uint64_t **to = &s->other[s->at / SORT_BLOCK_ROWS];
    if (!*to && s->merge.spare) {
        *to = s->merge.spare;
        s->merge.spare = NULL;
    }
    uint64_t *e = block_entry(q, s, s->other, s->at);
    if (!e) return query_fail_memory(q);
    unsigned rows = MERGE_ROWS - s->at % MERGE_ROWS;
    for (unsigned i = 0; i < rows && s->merge.ways; i++, s->at++, e += s->words) {
        if (s->bytes_compared >= MERGE_BYTES && entry_work(q, s, 1)) return 0;
        entry_copy(s, e, run_entry(s, s->merge.heap[0]));
        run_advance(q, s);
    }
    entry_work(q, s, rows);
    return 0;
}

/* One pass over a block that is being sorted, or a part of one merged. *done at the end. */
static int merge_work(struct query *q, struct query_sorter *s, bool *done)
{
    if (s->merge.width == 0) {
        int error = sort_pass(q, s, s->merge.group);
        if (error || s->merge.rows) return error;
        if (++s->merge.group < s->block_count) return 0;
        s->merge.width = 1;
        s->merge.group = 0;
    }
    if (s->merge.width >= s->block_count) {
        *done = true;
        return 0;
    }
    if (!s->pass_open) merge_begin(s);
    int error = merge_part(q, s);
    if (error || s->merge.ways) return error;
    s->pass_open = false;
    s->merge.group += s->merge.width * SORT_WAYS;
    if (s->merge.group < s->block_count) return 0;
    uint64_t **swap = s->blocks;
    s->blocks = s->other;
    s->other = swap;
    memset(s->other, 0, s->block_count * sizeof *s->other);
    s->merge.width *= SORT_WAYS;
    s->merge.group = 0;
    return 0;
}

static int merge_step(struct query *q, struct query_sorter *s, uint64_t deadline)
{
    if (!s->other && !(s->other = query_alloc(q, (s->block_count + 1) * sizeof *s->other)))
        return query_fail_memory(q);
    while (!s->done) {
        int error = merge_work(q, s, &s->done);
        if (error) return error;
        if (!s->done && query_budget_over(q, deadline)) return 1;
    }
    return 0;
}

/* --- the end -----------------------------------------------------------------------------------*/

#define TOP_STEP 256

/* Takes the worst out of the heap again and again, and puts it behind. */
static int top_step(struct query *q, struct query_sorter *s, uint64_t deadline)
{
    uint64_t e[3 * QUERY_ORDER_MAX + 1];
    while (s->heap_left > 1) {
        for (unsigned i = 0; i < TOP_STEP && s->heap_left > 1; i++) {
            uint64_t *last = s->heap + --s->heap_left * s->words;
            entry_copy(s, e, last);
            entry_copy(s, last, s->heap);
            sift_down(s, 0, s->heap_left, e);
            if (s->bytes_compared >= MERGE_BYTES && entry_work(q, s, 1)) break;
        }
        if (query_budget_over(q, deadline)) return 1;
    }
    s->done = true;
    return 0;
}

int sorter_step(struct query *q, struct query_sorter *s, uint64_t deadline)
{
    if (s->done) return 0;
    if (s->count == 0) {
        s->done = true;
        return 0;
    }
    if (s->top) {
        if (s->heap_left == 0) s->heap_left = s->count;
        return top_step(q, s, deadline);
    }
    return s->histograms ? radix_step(q, s, deadline) : merge_step(q, s, deadline);
}

const uint64_t *sorter_entry(const struct query_sorter *s, uint64_t index)
{
    return s->blocks[index / SORT_BLOCK_ROWS] + index % SORT_BLOCK_ROWS * s->words;
}

uint32_t sorter_read(struct query_sorter *s, uint64_t *addresses, uint32_t count)
{
    uint32_t got = 0;
    for (; got < count && s->read < s->count; got++, s->read++) {
        const uint64_t *e = s->top ? s->heap + s->read * s->words : sorter_entry(s, s->read);
        addresses[got] = e[s->words - 1] & SORT_ADDRESS;
    }
    return got;
}

void sorter_read_key(const struct query_sorter *s, uint32_t key, uint32_t count,
                     struct query_vector *to)
{
    const struct query_sort_key *k = &s->keys[key];
    bits_clear(to->valid);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t index = s->read - count + i;
        const uint64_t *e = s->top ? s->heap + index * s->words : sorter_entry(s, index);
        bool null = e[s->words - 1] >> (SORT_NULL_SHIFT + key) & 1;
        uint64_t word = k->descending ? ~e[k->word] : e[k->word];
        to->u[i] = null ? 0 : lane_of_key(k->kind, word);
        to->valid[i / 64] |= (uint64_t)!null << i % 64;
    }
}
