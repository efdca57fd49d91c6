/* map_values.c - the words that belong to a packed segment: a dense array with linked holes.
 *
 *   [header: live:16, used:16, first hole:16][word 1]…[word used][nil]… */
#include "heap/map_packed.h"

#define HOLE_TAG VALUE_TOMBSTONE /* the number of the next hole follows; 0: none */

struct values_header {
    unsigned live, used, hole;
};

static struct values_header header_read(const struct heap *h, value values)
{
    uint64_t payload = header_payload(cell_words(h, values)[0]);
    return (struct values_header){payload & 0xffff, payload >> 16 & 0xffff,
                                  payload >> 32 & 0xffff};
}

static void header_write(struct heap *h, value values, struct values_header header)
{
    uint64_t payload =
        header.live | (uint64_t)header.used << 16 | (uint64_t)header.hole << 32;
    store(h, &cell_words(h, values)[0], cell_header(KIND_MAP_VALUES, payload));
}

static bool word_is_hole(value word) { return (word & 0xff) == HOLE_TAG; }

value values_new(struct heap *h, size_t count)
{
    if (count > VALUES_WORDS_MAX) count = VALUES_WORDS_MAX;
    value values = cell_take(h, KIND_MAP_VALUES, (1 + count) * sizeof(value), 0);
    if (values != VALUE_ABSENT)
        store_new(&cell_words(h, values)[0], cell_header(KIND_MAP_VALUES, 0));
    return values;
}

size_t values_live(const struct heap *h, value values)
{
    return values == VALUE_NIL ? 0 : header_read(h, values).live;
}

int values_make_room(struct heap *h, value *slot, size_t count)
{
    struct values_header header = {0};
    if (*slot != VALUE_NIL) {
        header = header_read(h, *slot);
        if (header.live + count < cell_word_count(h, *slot)) return 0;
    }
    value old = *slot, values = values_new(h, header.used + count + header.used / 8);
    if (values == VALUE_ABSENT) return -ENOMEM;
    if (old != VALUE_NIL) {
        store_move(values_word(h, values, 1), values_word(h, old, 1), header.used);
        header_write(h, values, header);
        cell_moved_in_for(h, values, MOVED_VALUES);
    }
    store(h, slot, values);
    if (old != VALUE_NIL) cell_free(h, old);
    return 0;
}

unsigned values_put(struct heap *h, value values, value v)
{
    struct values_header header = header_read(h, values);
    unsigned word = header.hole;
    if (word)
        header.hole = (unsigned)(*values_word(h, values, word) >> 8);
    else
        word = ++header.used;
    assert(word < cell_word_count(h, values));
    header.live++;
    store(h, values_word(h, values, word), v);
    header_write(h, values, header);
    return word;
}

value values_take(struct heap *h, value values, unsigned word)
{
    struct values_header header = header_read(h, values);
    value v = *values_word(h, values, word);
    store(h, values_word(h, values, word), (value)header.hole << 8 | HOLE_TAG);
    header.hole = word;
    header.live--;
    header_write(h, values, header);
    return v;
}

void values_trim(struct heap *h, value *slot)
{
    value values = *slot;
    if (values == VALUE_NIL || header_read(h, values).live > 0) return;
    store(h, slot, VALUE_NIL);
    cell_free(h, values);
}

unsigned values_move(struct heap *h, value from, unsigned word, value to)
{
    struct values_header header = header_read(h, to);
    header.live++;
    header.used++;
    assert(header.hole == 0 && header.used < cell_word_count(h, to));
    store_move(values_word(h, to, header.used), values_word(h, from, word), 1);
    header_write(h, to, header);
    return header.used;
}

const char *values_check(const struct heap *h, value values, const uint16_t *named)
{
    struct values_header header = header_read(h, values);
    size_t capacity = cell_word_count(h, values), live = 0, holes = 0;
    if (header.used >= capacity) return "more words are used than the values have";
    if (header.live == 0) return "values without a word were not freed";
    for (unsigned i = 1; i < capacity; i++) {
        value word = *values_word(h, values, i);
        if (named[i] > 1) return "two entries name one word of the values";
        if (i > header.used && (named[i] || word != VALUE_NIL))
            return "a word of the values beyond the used ones is not nil";
        if (named[i] && word_is_hole(word)) return "an entry names a hole of the values";
        if (!named[i] && i <= header.used && !word_is_hole(word))
            return "no entry names a word of the values";
        live += named[i];
    }
    unsigned hole = header.hole;
    for (; hole && holes <= header.used; holes++) {
        if (hole > header.used || named[hole]) return "the list of holes of the values is broken";
        hole = (unsigned)(*values_word(h, values, hole) >> 8);
    }
    if (live != header.live || holes != header.used - live)
        return "the values count other words than there are";
    return NULL;
}
