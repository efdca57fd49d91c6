/* map_move.c - entries move from packed segments into new ones: when a segment is rebuilt, split
 * or merged with its neighbour.
 *
 * What will come is counted first, then all cells are taken, then everything moves; so a failure
 * changes nothing. New segments have no holes and no dead bytes. */
#include "heap/map_packed.h"

void target_count(struct target *t, const struct entry *e)
{
    t->content += e->size;
    t->entries++;
    t->words += (e->key_type == KEY_CELL) + (e->type == PACKED_REF);
}

void target_count_all(const struct heap *h, struct target *t, const struct segment *s)
{
    t->content += segment_live_bytes(s);
    t->entries += s->head->live;
    t->words += values_live(h, s->values);
}

/* Whether the new segment is to be accessed; counts what that changes. */
static bool target_access(struct target *t, bool before, bool wanted)
{
    size_t change = ACCESS_BYTES * t->entries;
    if (before == wanted) return wanted;
    if (wanted && segment_bytes(t->content + change, t->entries) > SEGMENT_BYTES_MAX) return false;
    t->content = wanted ? t->content + change : t->content - change;
    return wanted;
}

int target_make(struct heap *h, struct target *t, unsigned depth, const struct segment *from,
                bool accessed)
{
    t->cell = t->values = VALUE_NIL;
    if (t->entries == 0) return 0;
    accessed = target_access(t, from->accessed, accessed);
    value cell = segment_new(h, depth, accessed, t->content, t->entries), values = VALUE_NIL;
    if (cell != VALUE_ABSENT && t->words > 0) values = values_new(h, t->words + t->words / 16);
    if (cell == VALUE_ABSENT || values == VALUE_ABSENT) {
        if (cell != VALUE_ABSENT) cell_free(h, cell);
        return -ENOMEM;
    }
    t->cell = cell;
    t->values = values;
    t->s = segment_open(h, cell, values);
    return 0;
}

void target_discard(struct heap *h, struct target *t)
{
    if (value_is_ref(t->cell)) cell_free(h, t->cell);
    if (value_is_ref(t->values)) cell_free(h, t->values);
    t->cell = t->values = VALUE_NIL;
}

static void number_write(unsigned char *at, unsigned word)
{
    uint16_t number = (uint16_t)word;
    memcpy(at, &number, sizeof number);
}

void target_move(struct heap *h, struct target *t, const struct segment *from,
                 const struct entry *e, uint64_t hash)
{
    unsigned char *at = segment_copy(&t->s, from, e, hash);
    unsigned key_word = entry_key_word(e), word = entry_value_word(e);
    if (!key_word && !word) return;
    ptrdiff_t shift = (ptrdiff_t)segment_access_bytes(&t->s);
    shift -= (ptrdiff_t)segment_access_bytes(from);
    if (key_word)
        number_write(at + (e->key - e->at) + shift,
                     values_move(h, from->values, key_word, t->values));
    if (word)
        number_write(at + (e->v - e->at) + shift, values_move(h, from->values, word, t->values));
}

void target_move_all(struct heap *h, struct target *t, const struct segment *from)
{
    for (size_t i = 0; i < from->slots; i++) {
        if (!slot_is_live(from, i)) continue;
        struct entry e = slot_entry(from, i);
        target_move(h, t, from, &e, entry_hash(h, from, &e));
    }
}

void target_finish(struct heap *h, struct target *t)
{
    if (value_is_ref(t->values)) cell_moved_in_for(h, t->values, MOVED_HASH_SPLIT);
}

void segment_free(struct heap *h, const struct segment *s)
{
    cell_free(h, s->cell);
    if (s->values != VALUE_NIL) cell_free(h, s->values);
}
