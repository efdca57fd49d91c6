/* intern.c - the table of short strings that repeat: see intern.h.
 *
 * A set is half a cache line, so a unique string, the usual case, costs one miss. What a set
 * does when it is full of references: one new content in EVICT_ONE_IN pushes an entry out, so
 * that the table follows what clients send now, but not every stranger. */
#include "heap/intern.h"

#include <stdlib.h>

#include "heap/text_int.h"

#define WAYS 4
#define EVICT_ONE_IN 64

/* One slot for so many bytes of the heap's limit: what is garbage unseen stays below a fiftieth
 * of it, at 80 bytes a string. More slots than SLOTS_MAX found few more strings in Debian's
 * package list, and cost more than those saved. */
#define HEAP_BYTES_PER_SLOT 4096
#ifdef CAIRN_GC_STRESS
#define SLOTS_MAX 64 /* sets are always full */
#else
#define SLOTS_MAX 65536
#endif
#define SLOTS_MIN 64

struct intern_table {
    size_t length_max;
    uint32_t slots; /* a power of two */
    uint32_t turn;  /* chooses who has to go */
    struct intern_stats stats;
    value words[];
};

int intern_table_create(struct heap *h, size_t length_max)
{
    if (length_max == 0) return 0;
    if (length_max > INTERN_BYTES_MAX) return -EINVAL;
    uint64_t wanted = (uint64_t)h->page_count * PAGE_BYTES / HEAP_BYTES_PER_SLOT;
    uint32_t slots = SLOTS_MIN;
    while (slots < SLOTS_MAX && slots * 2 <= wanted) slots *= 2;
    struct intern_table *t = calloc(1, sizeof *t + slots * sizeof *t->words);
    if (!t) return -ENOMEM;
    _Static_assert(VALUE_NIL == 0, "fresh memory is free slots");
    _Static_assert(SLOTS_MAX / WAYS <= 1 << REF_HASH_BITS, "a reference tells its set");
    t->length_max = length_max;
    t->slots = slots;
    h->interns = t;
    return 0;
}

void intern_table_destroy(struct heap *h)
{
    free(h->interns);
    h->interns = NULL;
}

size_t intern_table_bytes(const struct heap *h)
{
    const struct intern_table *t = h->interns;
    return t ? sizeof *t + t->slots * sizeof *t->words : 0;
}

void intern_stats(const struct heap *h, struct intern_stats *stats)
{
    *stats = h->interns ? h->interns->stats : (struct intern_stats){0};
}

/* `hash` may be the bits of it that a reference carries. */
static value *intern_set(struct intern_table *t, uint64_t hash)
{
    return t->words + (hash & (t->slots / WAYS - 1)) * WAYS;
}

/* Draining is under way, and nobody uses it. */
static bool intern_is_dead(const struct heap *h, value string)
{
    return h->gc.phase == GC_DRAIN && !(ref_group(h, string)->mark & ref_bit(string));
}

static bool intern_is(const struct heap *h, value slot, uint64_t hash, const void *data,
                      size_t length)
{
    return value_is_ref(slot) && ref_hash(slot) == (hash & REF_HASH_MASK) &&
           !intern_is_dead(h, slot) && text_equals(h, slot, data, length);
}

static value intern_hit(struct heap *h, value string)
{
    struct intern_stats *stats = &h->interns->stats;
    /* Whoever gets it may store it where the marker has been. */
    if (h->gc.phase == GC_MARK && !planted(26)) gc_shade(h, string);
    stats->hits++;
    stats->saved_bytes += value_cell_bytes(h, string);
    return string;
}

static void intern_evict(struct heap *h, value *slot)
{
    h->gc.debt_bytes += value_cell_bytes(h, *slot);
    h->interns->stats.entries--;
    *slot = VALUE_NIL;
}

/* The first sight of a content leaves its hash: in a free slot, or in that of another which was
 * seen once. */
static void intern_note(struct heap *h, value *set, value hash_word)
{
    struct intern_table *t = h->interns;
    unsigned first = t->turn++ % WAYS;
    value *place = NULL;
    for (unsigned i = 0; i < WAYS; i++) {
        value *slot = &set[(first + i) % WAYS];
        if (*slot == VALUE_NIL) {
            place = slot;
            break;
        }
        if (value_is_int(*slot) && !place) place = slot;
    }
    if (!place) {
        if (t->turn % EVICT_ONE_IN != 0) return;
        place = &set[t->turn / EVICT_ONE_IN % WAYS];
        intern_evict(h, place);
    }
    *place = hash_word;
}

value intern_text(struct heap *h, const void *data, size_t length)
{
    struct intern_table *t = h->interns;
    if (!t || length <= VALUE_INLINE_TEXT_MAX || length > t->length_max)
        return text_new(h, data, length, false);
    uint64_t hash = heap_hash(h, data, length);
    value *set = intern_set(t, hash), *seen = NULL, hash_word = hash | 1;
    for (unsigned i = 0; i < WAYS; i++) {
        if (intern_is(h, set[i], hash, data, length)) return intern_hit(h, set[i]);
        if (set[i] == hash_word) seen = &set[i];
    }
    bool is_bytes = !utf8_valid(data, length);
    value v = text_cell_make(h, is_bytes, data, length, hash);
    if (v == VALUE_ABSENT || is_bytes) return v;
    if (!seen) {
        intern_note(h, set, hash_word);
        return v;
    }
    *seen = v;
    t->stats.entries++;
    return value_share(h, v);
}

bool intern_holds(const struct heap *h, value v)
{
    if (!h->interns || !value_is_kind(v, KIND_STRING)) return false;
    const value *set = intern_set(h->interns, ref_hash(v));
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i] == v) return true;
    return false;
}

uint32_t intern_table_drain(struct heap *h, uint32_t slot, uint32_t count)
{
    struct intern_table *t = h->interns;
    if (!t) return 0;
    for (; count > 0 && slot < t->slots; count--, slot++) {
        if (!value_is_ref(t->words[slot]) || !intern_is_dead(h, t->words[slot])) continue;
        t->words[slot] = VALUE_NIL;
        t->stats.entries--;
    }
    return slot < t->slots ? slot : 0;
}

value intern_table_slot(const struct heap *h, uint32_t slot)
{
    return h->interns && slot < h->interns->slots ? h->interns->words[slot] : VALUE_ABSENT;
}

bool intern_slot_fits(const struct heap *h, uint32_t slot, value string)
{
    struct text_scratch scratch; /* not used: it is a cell */
    const char *data;
    size_t length = text_piece(h, string, 0, &data, &scratch);
    uint64_t hash = heap_hash(h, data, length);
    return length <= h->interns->length_max && ref_hash(string) == (hash & REF_HASH_MASK) &&
           intern_set(h->interns, hash) == h->interns->words + slot / WAYS * WAYS;
}
