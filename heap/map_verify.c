/* map_verify.c - whether a segmented map is what map_segmented.c and map_packed.h say. */
#include "heap/map_packed.h"
#include "heap/map_track.h"

struct map_check {
    const struct heap *h;
    const char *wrong;
    size_t live;
    /* Of the segment under way. */
    uint16_t named[CELL_VALUES_MAX];
    bool taken[SEGMENT_BYTES_MAX]; /* bytes that live entries have */
};

static void expect(struct map_check *c, bool holds, const char *otherwise)
{
    if (!holds && !c->wrong) c->wrong = otherwise;
}

/* The bytes of the entry lie inside and belong to no other. */
static void check_bytes(struct map_check *c, const struct segment *s, const struct entry *e)
{
    size_t offset = (size_t)(e->at - s->entries);
    expect(c, offset + e->size <= s->head->end, "an entry lies outside of its segment");
    for (size_t i = offset; !c->wrong && i < offset + e->size; i++) {
        expect(c, !c->taken[i], "two entries overlap");
        c->taken[i] = true;
    }
}

static void check_words(struct map_check *c, const struct segment *s, const struct entry *e)
{
    unsigned words[2] = {entry_key_word(e), entry_value_word(e)};
    bool has[2] = {e->key_type == KEY_CELL, e->type == PACKED_REF};
    for (unsigned i = 0; i < 2; i++) {
        if (!has[i] || c->wrong) continue;
        expect(c, s->values != VALUE_NIL, "an entry has a word, and its segment no values");
        expect(c, words[i] > 0 && (c->wrong || words[i] < cell_word_count(c->h, s->values)),
               "an entry names a word outside of the values");
        if (!c->wrong) c->named[words[i]]++;
    }
}

/* A look-up of the entry's key finds this slot. */
static void check_found(struct map_check *c, const struct segment *s, const struct entry *e,
                        size_t slot)
{
    struct map_key key;
    struct packed_key k;
    int status = map_key_value(c->h, &key, entry_key(c->h, s, e));
    expect(c, status == 0, "an entry has a key that can be none");
    if (c->wrong) return;
    packed_key_make(&k, &key);
    expect(c, segment_find(c->h, s, &key, &k) == (int)slot, "an entry is not found by its key");
    expect(c, key.hash == entry_hash(c->h, s, e), "an entry's hash is not that of its key");
}

static void check_entry(struct map_check *c, const struct segment *s, size_t slot, uint64_t from,
                        uint64_t end, bool tracked)
{
    size_t offset = (s->index[slot] & INDEX_OFFSET) - 1U;
    expect(c, offset < s->head->end, "the index leads outside of the entries");
    if (c->wrong) return;
    struct entry e = entry_open(s, offset);
    expect(c, tracked || !(e.at[0] & TAG_EXPIRES),
           "an entry expires, and its map is not tracked");
    check_bytes(c, s, &e);
    check_words(c, s, &e);
    if (c->wrong) return;
    uint64_t hash = entry_hash(c->h, s, &e);
    expect(c, hash >= from && (end == 0 || hash < end), "an entry is in the wrong segment");
    check_found(c, s, &e, slot);
}

static void check_segment(struct map_check *c, const struct segment *s, uint64_t from,
                          uint64_t end, bool tracked)
{
    size_t bytes = value_cell_bytes(c->h, s->cell), live = 0, removed = 0, live_bytes = 0;
    expect(c, s->head->slots == s->slots && s->head->accessed == s->accessed,
           "a reference to a segment does not fit its head");
    expect(c, tracked || !s->accessed, "entries have access state, and their map is not tracked");
    expect(c, sizeof *s->head + 2 * s->slots + s->head->room <= bytes &&
                  s->head->end <= s->head->room,
           "a segment is larger than its cell");
    memset(c->named, 0, sizeof c->named);
    memset(c->taken, 0, sizeof c->taken);
    for (size_t i = 0; i < s->slots && !c->wrong; i++) {
        removed += s->index[i] == INDEX_REMOVED;
        if (!slot_is_live(s, i)) continue;
        live++;
        check_entry(c, s, i, from, end, tracked);
    }
    for (size_t i = 0; i < s->head->end; i++) live_bytes += c->taken[i];
    expect(c, live == s->head->live && removed == s->head->removed,
           "a segment counts other entries than it has");
    expect(c, live > 0, "an empty segment was not freed");
    expect(c, live + removed <= index_entries(s->slots), "an index is too full");
    expect(c, live_bytes + s->head->dead == s->head->end, "a segment miscounts its dead bytes");
    if (!c->wrong && s->values != VALUE_NIL)
        expect(c, !values_check(c->h, s->values, c->named),
               values_check(c->h, s->values, c->named));
    c->live += live;
}

/* The slots that a segment serves lead to it, and have nothing else. */
static void check_slots(struct map_check *c, const struct location *at, size_t depth)
{
    expect(c, depth <= at->bits, "a segment is deeper than its node");
    if (c->wrong) return;
    size_t count = (size_t)1 << (at->bits - depth);
    expect(c, at->slot % count == 0, "a segment begins at a wrong slot");
    for (size_t i = at->slot + 1; i < at->slot + count && !c->wrong; i++)
        expect(c, at->slots[2 * i] == value_int((int64_t)at->slot) &&
                      at->slots[2 * i + 1] == VALUE_NIL,
               "a slot does not lead to the segment that serves it");
}

const char *map_verify(const struct heap *h, value map)
{
    struct map_check c = {.h = h};
    if (!map_is_segmented(h, map)) return NULL;
    value body = *map_body(h, map);
    uint64_t from = 0, end = 0;
    do {
        value values, cell = segmented_part(h, body, from, &end, &values);
        struct location at = locate(h, &body, from);
        if (cell == VALUE_NIL) {
            expect(&c, values == VALUE_NIL, "there are values without a segment");
        } else {
            struct segment s = segment_open(h, cell, values);
            check_slots(&c, &at, s.head->depth);
            check_segment(&c, &s, from, end, map_is_tracked(h, map));
        }
        from = end;
    } while (from != 0 && !c.wrong);
    expect(&c, c.live == map_root_count(h, map), "a map counts other entries than it has");
    return c.wrong;
}
