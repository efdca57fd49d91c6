/* table_symbols.c - the dictionary of a sym column: text to code and back.
 *
 * Codes are given in order of first sight and never change, so that every version of the table can
 * use the same dictionary. It grows by linear hashing (Litwin 1980): a new symbol splits one
 * bucket, never the table; symbols and buckets lie in segments that never move. Most dictionaries
 * are small, and tables with one may be many: so the first segments are small, too.
 *
 *     segment   0     1      2      3       ...  6         7           8
 *     symbols   0-15  16-31  32-63  64-127  ...  512-1023  1024-2047  2048-3071 ...
 *
 * A change adds symbols before anybody sees its rows, and some stay when it is given up. So a
 * dictionary knows of which symbols the changes were surely seen: those below `settled`. That grows
 * whenever no change is open, until one has left symbols behind. Of the others, rows tell. */
#include "heap/table_int.h"

#define SEGMENT_SYMBOLS 1024   /* of a large segment */
#define SEGMENT_SYMBOLS_MIN 16 /* of the first one */
#define SMALL_SEGMENTS 7       /* together as many symbols as a large one */
#define LARGE_SEGMENTS (TABLE_SYMBOLS_MAX / SEGMENT_SYMBOLS - 1)
#define NO_SYMBOL UINT32_MAX

/* As many buckets as symbols: bucket i lies in symbol i. */
struct symbol {
    struct table_text text;
    uint64_t hash;
    uint32_t next;   /* in its bucket; NO_SYMBOL */
    uint32_t bucket; /* the first one in bucket i; NO_SYMBOL */
};

struct symbols {
    uint32_t refs; /* tables */
    uint32_t count;
    uint32_t segment_count;
    uint32_t settled;
    uint32_t open; /* changes that are under way: drafts, forks */
    bool stained;  /* one has left symbols behind */
    size_t text_bytes;
    struct text_arena *arena;
    struct symbol *small[SMALL_SEGMENTS];
    struct symbol **large; /* LARGE_SEGMENTS of them; NULL while there is none */
};

_Static_assert(SEGMENT_SYMBOLS_MIN << (SMALL_SEGMENTS - 1) == SEGMENT_SYMBOLS,
               "small segments have as many symbols as those before them");

/* The first symbol of a segment, and so how many those before it have. */
static uint32_t segment_start(uint32_t segment)
{
    if (segment >= SMALL_SEGMENTS) return (segment - SMALL_SEGMENTS + 1) * SEGMENT_SYMBOLS;
    return segment ? SEGMENT_SYMBOLS_MIN / 2 << segment : 0;
}

static size_t segment_bytes(uint32_t segment)
{
    return (segment_start(segment + 1) - segment_start(segment)) * sizeof(struct symbol);
}

static struct symbol *symbol_at(const struct symbols *s, uint32_t code)
{
    if (code >= SEGMENT_SYMBOLS)
        return &s->large[code / SEGMENT_SYMBOLS - 1][code % SEGMENT_SYMBOLS];
    uint32_t segment = code < SEGMENT_SYMBOLS_MIN ? 0 : 28 - (uint32_t)__builtin_clz(code);
    return &s->small[segment][code - segment_start(segment)];
}

static struct symbol **segment_at(struct symbols *s, uint32_t segment)
{
    return segment < SMALL_SEGMENTS ? &s->small[segment] : &s->large[segment - SMALL_SEGMENTS];
}

static void free_segment(struct table *t, struct symbols *s)
{
    uint32_t last = --s->segment_count;
    external_free(&t->external, *segment_at(s, last), segment_bytes(last));
    if (last != SMALL_SEGMENTS) return;
    external_free(&t->external, s->large, LARGE_SEGMENTS * sizeof *s->large);
    s->large = NULL;
}

struct symbols *symbols_new(struct table *t)
{
    struct symbols *s = external_alloc(&t->external, sizeof *s);
    if (s) *s = (struct symbols){.refs = 1};
    return s;
}

struct symbols *symbols_share(struct symbols *s)
{
    s->refs++;
    return s;
}

bool symbols_free_some(struct table *t, struct symbols *s, size_t *work)
{
    if (s->refs > 1) {
        s->refs--;
        return true;
    }
    if (s->arena && s->arena->pieces) {
        const struct text_piece *piece = s->arena->pieces;
        *work += external_free_words(piece->capacity);
        arena_rewind(t, s->arena, piece->next, piece->next ? piece->next->used : 0);
        return false;
    }
    if (s->segment_count) {
        *work += external_free_words(segment_bytes(s->segment_count - 1));
        free_segment(t, s);
        return false;
    }
    arena_unref(t, s->arena);
    external_free(&t->external, s, sizeof *s);
    return true;
}

uint32_t symbols_settled(struct symbols *s)
{
    if (!s->open && !s->stained) s->settled = s->count;
    return s->settled;
}

void symbols_open(struct symbols *s)
{
    symbols_settled(s);
    s->open++;
}

void symbols_close(struct symbols *s, bool stains)
{
    assert(s->open);
    s->open--;
    s->stained |= stains;
}

uint32_t symbols_count(const struct symbols *s) { return s->count; }

size_t symbols_bytes(const struct symbols *s)
{
    return sizeof *s + (s->large ? LARGE_SEGMENTS * sizeof *s->large : 0) +
           segment_start(s->segment_count) * sizeof(struct symbol) +
           (s->arena ? sizeof *s->arena + s->arena->bytes : 0);
}

static uint32_t *bucket_at(const struct symbols *s, uint32_t bucket)
{
    return &symbol_at(s, bucket)->bucket;
}

/* Among `count` buckets: those that are split already take one bit of the hash more. */
static uint32_t bucket_of(uint64_t hash, uint32_t count)
{
    unsigned bits = count > 1 ? 64 - (unsigned)__builtin_clzl(count - 1) : 0;
    uint32_t bucket = (uint32_t)(hash & (((uint64_t)1 << bits) - 1));
    return bucket < count ? bucket : bucket & ((1u << (bits - 1)) - 1);
}

static uint32_t find(const struct symbols *s, uint64_t hash, const char *data, size_t length)
{
    if (s->count == 0) return NO_SYMBOL;
    for (uint32_t code = *bucket_at(s, bucket_of(hash, s->count)); code != NO_SYMBOL;) {
        const struct symbol *symbol = symbol_at(s, code);
        if (symbol->hash == hash && symbol->text.length == length &&
            memcmp(symbol->text.data, data, length) == 0)
            return code;
        code = symbol->next;
    }
    return NO_SYMBOL;
}

static void link_symbol(struct symbols *s, uint32_t code, uint32_t buckets)
{
    uint32_t *bucket = bucket_at(s, bucket_of(symbol_at(s, code)->hash, buckets));
    symbol_at(s, code)->next = *bucket;
    *bucket = code;
}

/* Takes the symbols of a bucket out and puts them where they belong among `buckets`. */
static void relink(struct symbols *s, uint32_t from, uint32_t buckets)
{
    uint32_t code = *bucket_at(s, from);
    *bucket_at(s, from) = NO_SYMBOL;
    while (code != NO_SYMBOL) {
        uint32_t next = symbol_at(s, code)->next;
        link_symbol(s, code, buckets);
        code = next;
    }
}

/* The bucket that is split when bucket `added` comes into being. */
static uint32_t split_source(uint32_t added)
{
    return added & ~(1u << (31 - (unsigned)__builtin_clz(added)));
}

static int make_room(struct table *t, struct symbols *s)
{
    if (s->count < segment_start(s->segment_count)) return 0;
    struct symbol *segment = external_alloc(&t->external, segment_bytes(s->segment_count));
    if (segment && s->segment_count == SMALL_SEGMENTS)
        s->large = external_alloc(&t->external, LARGE_SEGMENTS * sizeof *s->large);
    if (segment && s->segment_count >= SMALL_SEGMENTS && !s->large) {
        external_free(&t->external, segment, segment_bytes(s->segment_count));
        segment = NULL;
    }
    if (!segment) return -ENOMEM;
    *segment_at(s, s->segment_count++) = segment;
    return 0;
}

int table_symbol_intern(struct table *t, uint32_t column, const char *data, size_t length,
                        uint32_t *code, struct table_error *error)
{
    struct symbols *s = t->symbols[column];
    uint64_t hash = heap_hash(t->external.heap, data, length);
    int failed = table_check_writable(t, error); /* what a draft added may be taken back */
    if (failed) return failed;
    *code = find(s, hash, data, length);
    if (*code != NO_SYMBOL) return 0;
    if (s->count == TABLE_SYMBOLS_MAX)
        return table_fail(error, TABLE_FAULT_LIMIT, UINT64_MAX, column,
                          "column \"%.*s\" has %u different symbols already, which is the limit; "
                          "use the type str",
                          (int)t->fields[column].name_length, t->fields[column].name, s->count);
    if (make_room(t, s) != 0) return table_fail_memory(error);
    const char *copy = arena_add(t, &s->arena, data, length);
    if (!copy) return table_fail_memory(error);
    uint32_t added = s->count++;
    *symbol_at(s, added) = (struct symbol){{copy, length}, hash, NO_SYMBOL, NO_SYMBOL};
    if (added) relink(s, split_source(added), s->count);
    link_symbol(s, added, s->count);
    s->text_bytes += length;
    *code = added;
    return 0;
}

/* Undoes the newest symbols, as they were made: the bucket that each split gets its own back. */
void symbols_truncate(struct table *t, struct symbols *s, uint32_t count)
{
    assert(count >= s->settled || s->count <= count);
    while (s->count > count) {
        uint32_t last = s->count - 1;
        uint32_t *place = bucket_at(s, bucket_of(symbol_at(s, last)->hash, s->count));
        while (*place != last) place = &symbol_at(s, *place)->next;
        *place = symbol_at(s, last)->next;
        s->text_bytes -= symbol_at(s, last)->text.length;
        s->count = last;
        relink(s, last, last);
    }
    /* The texts that are left end with the last one's, in one of the pieces. */
    const struct text_piece *piece = s->arena && count ? s->arena->pieces : NULL;
    struct table_text last = count ? symbol_at(s, count - 1)->text : (struct table_text){NULL, 0};
    const char *end = last.data ? last.data + last.length : NULL;
    while (piece && !(end >= piece->data && end <= piece->data + piece->used)) piece = piece->next;
    if (s->arena) arena_rewind(t, s->arena, piece, piece ? (size_t)(end - piece->data) : 0);
    while (s->segment_count && segment_start(s->segment_count - 1) >= count) free_segment(t, s);
}

uint32_t table_symbol_count(const struct table *t, uint32_t column)
{
    return t->symbols[column] ? t->symbols[column]->count : 0;
}

uint32_t table_symbols_settled(const struct table *t, uint32_t column)
{
    return t->symbols[column] ? symbols_settled(t->symbols[column]) : 0;
}

struct table_text table_symbol(const struct table *t, uint32_t column, uint32_t code)
{
    assert(code < t->symbols[column]->count);
    return symbol_at(t->symbols[column], code)->text;
}

uint32_t table_symbol_find(const struct table *t, uint32_t column, const char *data,
                           size_t length)
{
    return find(t->symbols[column], heap_hash(t->external.heap, data, length), data, length);
}
