/* query_group.c - which group a row belongs to.
 *
 * Keys become lanes of 64 bits: numbers as they are (doubles by their order key, so that NaN equals
 * NaN and 0.0 equals -0.0), symbols by their code, texts by a number that the query gives them. If
 * the domain of all keys together is small, as zone maps and dictionaries tell, an array leads from
 * key to group; else a hash does. A single key of texts whose chunk has a dictionary is looked up
 * once per entry. Groups are numbered as they are met. */
#include "heap/query_int.h"

/* --- domains -----------------------------------------------------------------------------------*/

/* Chunks without zone maps, because rows are still added: they are looked at. */
#define DOMAIN_READS_MAX 4

static void read_domain(const struct query *q, uint32_t chunk, uint32_t column,
                        struct table_zone *z)
{
    struct table_extremes e = {.count = 0};
    uint64_t all[QUERY_WORDS];
    memset(all, 0xff, sizeof all);
    uint32_t vectors = table_slots_vectors(table_chunk_slots(q->version, chunk));
    for (uint32_t v = 0; v < vectors; v++)
        table_extremes_vector(q->version, chunk, column, v, all, &e);
    z->min = e.min;
    z->max = e.max;
    if (!e.count) z->nulls = z->rows;
}

/* The least and the greatest value in zone maps of all chunks. False if that is not known. */
static bool column_domain(const struct query *q, uint32_t column, uint64_t *min, uint64_t *span)
{
    bool is_signed = table_type_class(table_field(q->table, column)->type) == TABLE_CLASS_INT;
    uint64_t flip = is_signed ? KEY_SIGN : 0, least = UINT64_MAX, most = 0;
    uint32_t chunks = table_version_chunks(q->version), reads = 0;
    struct table_zone z;
    if (chunks > GROUP_CHUNKS_MAX) return false;
    for (uint32_t c = 0; c < chunks; c++) {
        table_chunk_zone(q->version, c, column, &z);
        if (z.nulls == z.rows) continue;
        if (!z.known && reads++ == DOMAIN_READS_MAX) return false;
        if (!z.known) read_domain(q, c, column, &z);
        if (z.nulls == z.rows) continue;
        if ((z.min.u ^ flip) < least) least = z.min.u ^ flip;
        if ((z.max.u ^ flip) > most) most = z.max.u ^ flip;
    }
    *min = least ^ flip;
    *span = least > most ? 0 : most - least + 1;
    return least > most || most - least < GROUP_DIRECT_MAX;
}

static bool key_domain(const struct query *q, struct query_key *k)
{
    uint32_t column = k->code.column;
    if (column == QUERY_NONE) return false;
    switch (table_type_class(table_field(q->table, column)->type)) {
    case TABLE_CLASS_SYMBOL:
        k->span = table_symbol_count(q->table, column);
        return true;
    case TABLE_CLASS_INT:
    case TABLE_CLASS_UINT: return column_domain(q, column, &k->min, &k->span);
    default: return false;
    }
}

static bool key_is_symbol(const struct query *q, const struct query_key *k)
{
    return k->code.column != QUERY_NONE && table_field(q->table, k->code.column)->type == TABLE_SYM;
}

/* An array over all combinations, if they are few. */
static int open_direct(struct query *q)
{
    struct query_agg *agg = q->agg;
    uint64_t size = 1;
    for (uint32_t i = 0; i < agg->key_count; i++) {
        struct query_key *k = &agg->keys[i];
        if (!key_domain(q, k)) return 0;
        k->factor = size;
        if (k->span >= GROUP_DIRECT_MAX || (k->span + 1) * size > 2 * GROUP_DIRECT_MAX) return 0;
        size *= k->span + 1; /* and null */
    }
    agg->direct = query_alloc(q, size * sizeof *agg->direct);
    return agg->direct ? 0 : query_fail_memory(q);
}

int groups_open(struct query *q)
{
    struct query_agg *agg = q->agg;
    agg->at = query_alloc(q, QUERY_ROWS_VECTOR * sizeof *agg->at);
    agg->groups = query_alloc(q, QUERY_ROWS_VECTOR * sizeof *agg->groups);
    agg->tags = query_alloc(q, QUERY_ROWS_VECTOR * sizeof *agg->tags);
    agg->positions = query_alloc(q, QUERY_ROWS_VECTOR * sizeof *agg->positions);
    agg->kept_at = query_alloc(q, QUERY_ROWS_VECTOR * sizeof *agg->kept_at);
    agg->kept_positions = query_alloc(q, QUERY_ROWS_VECTOR * sizeof *agg->kept_positions);
    if (!agg->at || !agg->groups || !agg->tags || !agg->positions || !agg->kept_at ||
        !agg->kept_positions)
        return query_fail_memory(q);
    agg->null_group = QUERY_NONE;
    for (uint32_t i = 0; i < agg->key_count; i++) {
        struct query_key *k = &agg->keys[i];
        k->text = kind_is_text(k->code.kind) && !key_is_symbol(q, k);
        k->cache_chunk = QUERY_NONE;
        k->lanes.any = query_alloc(q, QUERY_ROWS_VECTOR * sizeof(struct table_text));
        if (!k->lanes.any) return query_fail_memory(q);
        int error = k->text ? interner_new(q, &k->interner) : 0;
        if (error) return error;
    }
    int error = agg->key_count ? open_direct(q) : 0;
    if (!error && agg->key_count && !agg->direct) error = hash_open(q, &agg->hash);
    return error;
}

/* --- new groups --------------------------------------------------------------------------------*/

int group_new(struct query *q, uint32_t *group)
{
    struct query_agg *agg = q->agg;
    if (agg->records.count >= GROUPS_MAX)
        return query_fail(q, QUERY_FAULT_LIMIT, "group: more than %u groups", GROUPS_MAX);
    int error = array_push(q, &agg->records);
    if (error) return error;
    *group = (uint32_t)(agg->records.count - 1);
    for (uint32_t i = 0; i < agg->aggregate_count; i++)
        accumulator_init(&agg->aggregates[i], array_at(&agg->records, *group));
    return 0;
}

static uint64_t null_keys(const struct query_agg *agg, unsigned row)
{
    uint64_t nulls = 0;
    for (uint32_t i = 0; i < agg->key_count; i++)
        nulls |= (uint64_t)!bits_get(agg->keys[i].lanes.valid, row) << i;
    return nulls;
}

/* The lanes of row `row` as a new group. */
static int group_of_row(struct query *q, unsigned row, uint32_t *group)
{
    struct query_agg *agg = q->agg;
    int error = group_new(q, group);
    if (error) return error;
    unsigned char *record = array_at(&agg->records, *group);
    uint64_t *lanes = (uint64_t *)(void *)(record + agg->key_offset);
    for (uint32_t i = 0; i < agg->key_count; i++)
        lanes[i] = bits_get(agg->keys[i].lanes.valid, row) ? agg->keys[i].lanes.u[row] : 0;
    if (agg->null_offset) {
        uint64_t nulls = null_keys(agg, row);
        memcpy(record + agg->null_offset, &nulls, sizeof nulls);
    }
    return 0;
}

/* --- lanes -------------------------------------------------------------------------------------*/

/* Room for a number per entry of the chunk's dictionary. */
static int cache_open(struct query *q, struct query_key *k, uint32_t chunk, uint32_t count)
{
    if (k->cache_chunk == chunk) return 0;
    k->cache_chunk = chunk;
    if (k->cache_count < count) {
        query_free(q, k->cache);
        k->cache_count = count;
        k->cache = query_alloc(q, count * sizeof *k->cache);
        return k->cache ? 0 : query_fail_memory(q);
    }
    memset(k->cache, 0, count * sizeof *k->cache);
    return 0;
}

/* Rows whose entry has no number yet. */
static int number_entries(struct query *q, const struct query_source *s, struct query_key *k,
                          uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        unsigned row = q->agg->positions[i];
        uint32_t code = q->codes[row], number;
        if (!bits_get(k->lanes.valid, row)) continue;
        if (!k->cache[code]) {
            struct table_text text = table_chunk_entry(q->version, s->chunk, k->code.column, code);
            int error = intern(q, k->interner, text, &number);
            if (error) return error;
            k->cache[code] = number + 1;
        }
        k->lanes.u[row] = k->cache[code] - 1;
    }
    return 0;
}

/* Texts with a dictionary: each entry gets its number once per chunk. */
static int load_by_code(struct query *q, const struct query_source *s, struct query_key *k,
                        uint32_t entries, uint32_t count)
{
    const uint16_t *positions = q->agg->positions;
    int error = cache_open(q, k, s->chunk, entries);
    if (error) return error;
    table_read_codes(q->version, s->chunk, k->code.column, s->vector, q->codes, k->lanes.valid);
    const uint32_t *codes = q->codes, *cache = k->cache;
    uint64_t *lanes = k->lanes.u;
    bool missing = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = cache[codes[positions[i]]];
        missing |= !number;
        lanes[positions[i]] = (uint64_t)number - 1;
    }
    return missing ? number_entries(q, s, k, count) : 0;
}

static int load_texts(struct query *q, const struct query_source *s, struct query_key *k,
                      const struct query_vector *texts, uint32_t count)
{
    (void)s;
    bits_copy(k->lanes.valid, texts->valid);
    for (uint32_t i = 0; i < count; i++) {
        unsigned row = q->agg->positions[i];
        uint32_t number;
        if (!bits_get(texts->valid, row)) continue;
        int error = intern(q, k->interner, texts->t[row], &number);
        if (error) return error;
        k->lanes.u[row] = number;
    }
    return 0;
}

static int load_key(struct query *q, const struct query_source *s, struct query_key *k,
                    const uint64_t *mask, uint32_t count)
{
    uint32_t column = k->code.column;
    if (column != QUERY_NONE && !k->text) {
        query_load_codes(q, s, column, &k->lanes);
    } else if (column != QUERY_NONE) {
        uint32_t entries = table_chunk_dictionary(q->version, s->chunk, column);
        if (entries) return load_by_code(q, s, k, entries, count);
        query_load(q, s, column, &q->scratch);
        return load_texts(q, s, k, &q->scratch, count);
    } else {
        int error = query_run(q, s, &k->code, mask);
        if (error) return error;
        q->agg->loaded = QUERY_NONE;
        if (k->text) return load_texts(q, s, k, &q->registers[0], count);
        memcpy(k->lanes.u, q->registers[0].u, QUERY_ROWS_VECTOR * sizeof *k->lanes.u);
        bits_copy(k->lanes.valid, q->registers[0].valid);
    }
    if (k->code.kind == QUERY_FLOAT)
        for (unsigned i = 0; i < QUERY_ROWS_VECTOR; i++)
            k->lanes.u[i] = key_of_double(k->lanes.d[i]);
    return 0;
}

/* --- finding -----------------------------------------------------------------------------------*/

/* Where the records of groups are while they are few: in one block. 0: in several, or none yet.
 * Then a loop that finds groups finds records as well. A number, since the loop adds to it before
 * it is known that all groups, and the block, are there. */
static uintptr_t only_block(const struct query_agg *agg)
{
    return agg->records.block_count == 1 ? (uintptr_t)agg->records.blocks[0] : 0;
}

/* One key, never null. Groups that are there are found without a branch. False: some are not. */
static bool find_direct_known(struct query_agg *agg, uint32_t count, bool *records)
{
    const uint64_t *lanes = agg->keys[0].lanes.u, min = agg->keys[0].min;
    const uint16_t *positions = agg->positions;
    const uint32_t *direct = agg->direct;
    const uintptr_t first = only_block(agg);
    unsigned char **at = agg->at;
    const size_t bytes = agg->records.item_bytes;
    uint32_t *groups = agg->groups;
    bool missing = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t group = direct[lanes[positions[i]] - min];
        missing |= !group;
        groups[i] = --group;
        at[i] = (unsigned char *)(first + group * bytes);
    }
    *records = first && !missing;
    return !missing;
}

static int find_direct_one(struct query *q, uint32_t count, bool *records)
{
    struct query_agg *agg = q->agg;
    if (find_direct_known(agg, count, records)) return 0;
    const uint64_t *lanes = agg->keys[0].lanes.u, min = agg->keys[0].min;
    for (uint32_t i = 0; i < count; i++) {
        unsigned row = agg->positions[i];
        uint32_t *group = &agg->direct[lanes[row] - min];
        if (!*group) {
            int error = group_of_row(q, row, group);
            if (error) {
                *group = 0;
                return error;
            }
            ++*group;
        }
        agg->groups[i] = *group - 1;
    }
    return 0;
}

static int find_direct(struct query *q, uint32_t count, bool *records)
{
    struct query_agg *agg = q->agg;
    if (agg->key_count == 1 && !agg->null_offset) return find_direct_one(q, count, records);
    for (uint32_t i = 0; i < count; i++) {
        unsigned row = agg->positions[i];
        uint64_t place = 0;
        for (uint32_t j = 0; j < agg->key_count; j++) {
            const struct query_key *k = &agg->keys[j];
            place += k->factor * (bits_get(k->lanes.valid, row) ? k->lanes.u[row] - k->min
                                                                : k->span);
        }
        uint32_t group = agg->direct[place];
        if (!group) {
            int error = group_of_row(q, row, &group);
            if (error) return error;
            agg->direct[place] = ++group;
        }
        agg->groups[i] = group - 1;
    }
    return 0;
}

static int find_numbered_valid(struct query *q, uint32_t count)
{
    struct query_agg *agg = q->agg;
    const uint64_t *lanes = agg->keys[0].lanes.u, known = agg->records.count;
    const uint16_t *positions = agg->positions;
    uint32_t *groups = agg->groups;
    bool missing = false;
    for (uint32_t i = 0; i < count; i++) {
        groups[i] = (uint32_t)lanes[positions[i]];
        missing |= groups[i] >= known;
    }
    for (uint32_t i = 0; missing && i < count; i++) {
        uint32_t group;
        if (groups[i] < agg->records.count) continue;
        int error = group_of_row(q, positions[i], &group);
        if (error) return error;
    }
    return 0;
}

/* A single key of texts: numbers come in the order of groups, but for the group of null. */
static int find_numbered(struct query *q, uint32_t count)
{
    struct query_agg *agg = q->agg;
    const struct query_key *k = &agg->keys[0];
    if (!k->code.null) return find_numbered_valid(q, count);
    for (uint32_t i = 0; i < count; i++) {
        unsigned row = agg->positions[i];
        uint32_t group;
        if (likely(bits_get(k->lanes.valid, row))) {
            group = (uint32_t)k->lanes.u[row];
            group += group >= agg->null_group;
        } else {
            if (agg->null_group == QUERY_NONE) agg->null_group = (uint32_t)agg->records.count;
            group = agg->null_group;
        }
        if (unlikely(group == agg->records.count)) {
            int error = group_of_row(q, row, &group);
            if (error) return error;
        }
        agg->groups[i] = group;
    }
    return 0;
}

static bool single_text(const struct query_agg *agg)
{
    return agg->key_count == 1 && agg->keys[0].text;
}

/* Rows of a single text, never null, whose groups are all there: codes of the chunk's dictionary
 * lead to them without lanes in between. False if that cannot be, and nothing has been found. */
static bool find_known(struct query *q, const struct query_source *s, uint32_t count, bool *records)
{
    struct query_agg *agg = q->agg;
    struct query_key *k = &agg->keys[0];
    if (!single_text(agg) || k->code.null || k->cache_chunk != s->chunk) return false;
    table_read_codes(q->version, s->chunk, k->code.column, s->vector, q->codes, k->lanes.valid);
    const uint32_t *codes = q->codes, *cache = k->cache, known = (uint32_t)agg->records.count;
    const uint16_t *positions = agg->positions;
    const uintptr_t first = only_block(agg);
    unsigned char **at = agg->at;
    const size_t bytes = agg->records.item_bytes;
    uint32_t *groups = agg->groups;
    bool missing = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t group = cache[codes[positions[i]]] - 1; /* above all if it has no number yet */
        missing |= group >= known;
        groups[i] = group;
        at[i] = (unsigned char *)(first + group * bytes);
    }
    *records = first && !missing;
    return !missing;
}

static uint32_t tag_of_row(const struct query_agg *agg, unsigned row)
{
    uint64_t hash = agg->seed[0];
    for (uint32_t j = 0; j < agg->key_count; j++) {
        bool valid = bits_get(agg->keys[j].lanes.valid, row);
        hash = hash_mix(hash, (valid ? agg->keys[j].lanes.u[row] : 0) ^ agg->seed[1]);
        if (!valid) hash++;
    }
    return (uint32_t)(hash >> 32);
}

static bool record_is(const struct query_agg *agg, uint32_t group, unsigned row)
{
    const unsigned char *record = array_at(&agg->records, group);
    const uint64_t *lanes = (const uint64_t *)(const void *)(record + agg->key_offset);
    for (uint32_t j = 0; j < agg->key_count; j++) {
        bool valid = bits_get(agg->keys[j].lanes.valid, row);
        if (lanes[j] != (valid ? agg->keys[j].lanes.u[row] : 0)) return false;
    }
    if (!agg->null_offset) return true;
    uint64_t nulls;
    memcpy(&nulls, record + agg->null_offset, sizeof nulls);
    return nulls == null_keys(agg, row);
}

static int find_hashed_row(struct query *q, unsigned row, uint32_t tag, uint32_t *group)
{
    struct query_agg *agg = q->agg;
    const struct query_segment *s = hash_segment(&agg->hash, tag);
    for (uint32_t at = tag % SEGMENT_SLOTS; s->slots[at].index; at = (at + 1) % SEGMENT_SLOTS)
        if (s->slots[at].tag == tag && record_is(agg, s->slots[at].index - 1, row)) {
            *group = s->slots[at].index - 1;
            return 0;
        }
    int error = group_of_row(q, row, group);
    return error ? error : hash_insert(q, &agg->hash, tag, *group);
}

/* In rounds, so that the misses of one row overlap with those of the next. */
static int find_hashed(struct query *q, uint32_t count)
{
    struct query_agg *agg = q->agg;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t tag = tag_of_row(agg, agg->positions[i]);
        agg->tags[i] = tag;
        __builtin_prefetch(&hash_segment(&agg->hash, tag)->slots[tag % SEGMENT_SLOTS]);
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct query_segment *s = hash_segment(&agg->hash, agg->tags[i]);
        uint32_t index = s->slots[agg->tags[i] % SEGMENT_SLOTS].index;
        if (index) __builtin_prefetch(array_at(&agg->records, index - 1));
    }
    for (uint32_t i = 0; i < count; i++) {
        int error = find_hashed_row(q, agg->positions[i], agg->tags[i], &agg->groups[i]);
        if (error) return error;
    }
    return 0;
}

#define PREFETCH_GROUPS 2048 /* records beyond the first caches */

static void find_records(struct query_agg *agg, uint32_t count)
{
    const struct query_array records = agg->records;
    unsigned char **at = agg->at;
    const uint32_t *groups = agg->groups;
    bool many = records.count > PREFETCH_GROUPS;
    for (uint32_t i = 0; i < count; i++) {
        at[i] = array_at(&records, groups[i]);
        if (many) __builtin_prefetch(at[i], 1);
    }
}

int groups_find(struct query *q, const struct query_source *s, const uint64_t *mask,
                uint32_t count)
{
    struct query_agg *agg = q->agg;
    bool records = false; /* have been found, too */
    int error = 0;
    if (!find_known(q, s, count, &records)) {
        for (uint32_t j = 0; j < agg->key_count && !error; j++)
            error = load_key(q, s, &agg->keys[j], mask, count);
        if (!error) error = single_text(agg) ? find_numbered(q, count)
                            : agg->direct    ? find_direct(q, count, &records)
                                             : find_hashed(q, count);
        if (error) return error;
    }
    if (!records) find_records(agg, count);
    return 0;
}
