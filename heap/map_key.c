/* map_key.c - what a key is: its canonical form, its hash, its equality.
 *
 * Most keys are a word, and then equality is that of words. Longer texts and the numbers that
 * no word holds are compared by content, after 20 bits of hash in their references have ruled
 * out nearly all others without touching their cells. */
#include "heap/map_int.h"
#include "heap/number.h"

#define NAN_BITS ((uint64_t)0x7ff8 << 48)

/* Scalars and texts must not share hashes, or a client could choose keys that do: a text of the
 * bytes of a word, say. So a scalar is hashed as a text that no client can write, for it
 * ends with a secret. */
static uint64_t scalar_hash(const struct heap *h, enum kind kind, uint64_t bits)
{
    uint64_t words[3] = {bits, kind, h->hash_key[0] ^ h->hash_key[1]};
    return heap_hash(h, words, sizeof words);
}

static uint64_t word_hash(const struct heap *h, value word)
{
    return scalar_hash(h, KIND_COUNT, word);
}

static uint64_t number_hash(const struct heap *h, enum kind kind, uint64_t bits)
{
    return scalar_hash(h, kind, bits);
}

void map_key_text(const struct heap *h, struct map_key *key, const void *data, size_t length)
{
    *key = (struct map_key){.word = VALUE_ABSENT, .kind = KIND_STRING};
    if (length <= VALUE_INLINE_TEXT_MAX) {
        bool is_bytes = !utf8_valid(data, length);
        key->word = length ? value_inline_text(data, length, is_bytes)
                           : value_inline_text("", 0, false);
        key->hash = word_hash(h, key->word);
        return;
    }
    key->data = data;
    key->length = length;
    key->hash = heap_hash(h, data, length);
}

static void key_number(const struct heap *h, struct map_key *key, enum kind kind, uint64_t bits)
{
    *key = (struct map_key){.word = VALUE_ABSENT, .kind = kind, .number = bits};
    key->hash = number_hash(h, kind, bits);
}

/* The bits of a boxed number; all that are not numbers are one. */
static uint64_t box_bits(const struct heap *h, value box)
{
    struct number n = number_read(h, box);
    uint64_t bits = n.u;
    if (n.class == NUMBER_DOUBLE) {
        memcpy(&bits, &n.d, sizeof bits);
        if (n.d != n.d) bits = NAN_BITS;
    }
    return bits;
}

int map_key_value(const struct heap *h, struct map_key *key, value v)
{
    if (value_is_int(v) || value_is_double(v) || value_is_bool(v)) {
        *key = (struct map_key){.word = v, .hash = word_hash(h, v)};
        return 0;
    }
    if (value_is_text(v) && !value_is_kind(v, KIND_ROPE) && !value_is_kind(v, KIND_ROPE_BYTES)) {
        struct text_scratch scratch;
        const char *data = scratch.bytes;
        size_t length = text_piece(h, v, 0, &data, &scratch);
        map_key_text(h, key, data, length);
        return 0;
    }
    if (value_is_kind(v, KIND_INT64) || value_is_kind(v, KIND_UINT64) ||
        value_is_kind(v, KIND_DOUBLE)) {
        key_number(h, key, ref_kind(v), box_bits(h, v));
        return 0;
    }
    return -EINVAL;
}

static value number_of_bits(struct heap *h, enum kind kind, uint64_t bits)
{
    if (kind == KIND_INT64) return number_from_int64(h, (int64_t)bits);
    if (kind == KIND_UINT64) return number_from_uint64(h, bits);
    double d;
    memcpy(&d, &bits, sizeof d);
    return number_from_double(h, d);
}

static value with_hash(value ref, uint64_t hash)
{
    return ref_make(ref_kind(ref), ref_granule(ref), (uint32_t)(hash & REF_HASH_MASK));
}

value map_key_store(struct heap *h, const struct map_key *key)
{
    if (key->word != VALUE_ABSENT) return key->word;
    value v = key->kind == KIND_STRING ? text_new(h, key->data, key->length, false)
                                       : number_of_bits(h, key->kind, key->number);
    return v == VALUE_ABSENT ? v : with_hash(v, key->hash);
}

/* Whether the cell behind an owned key can be that of the canonical one. */
static bool is_canonical_cell(const struct heap *h, const struct map_key *key, value v)
{
    if (value_is_kind(v, KIND_BYTES)) return !utf8_valid(key->data, key->length);
    if (!value_is_kind(v, KIND_DOUBLE)) return true;
    uint64_t bits;
    memcpy(&bits, cell_bytes(h, v), sizeof bits);
    return bits == key->number;
}

int map_key_adopt(struct heap *h, struct map_key *key, value *slot)
{
    value old = *slot;
    if (key->word == VALUE_ABSENT && is_canonical_cell(h, key, old)) {
        *slot = with_hash(old, key->hash);
        return 0;
    }
    value v = map_key_store(h, key);
    if (v == VALUE_ABSENT) return -ENOMEM;
    *slot = v;
    if (key->word == VALUE_ABSENT && key->kind == KIND_STRING) {
        struct text_scratch scratch; /* not used: it is a cell */
        text_piece(h, v, 0, &key->data, &scratch);
    }
    value_release(h, old);
    return 0;
}

uint64_t map_key_hash(const struct heap *h, value stored)
{
    if (!value_is_ref(stored) && !value_is_view(stored)) return word_hash(h, stored);
    if (!value_is_text(stored)) return number_hash(h, ref_kind(stored), box_bits(h, stored));
    struct text_scratch scratch;
    const char *data;
    size_t length = text_piece(h, stored, 0, &data, &scratch);
    return heap_hash(h, data, length);
}

bool map_key_is_cell(const struct heap *h, value stored, const struct map_key *key)
{
    if (key->kind != KIND_STRING)
        return value_is_kind(stored, key->kind) && box_bits(h, stored) == key->number;
    return value_is_text(stored) && text_equals(h, stored, key->data, key->length);
}

bool map_keys_equal_cells(const struct heap *h, value a, value b)
{
    if (ref_kind(a) != ref_kind(b)) return false;
    return value_is_text(a) ? text_compare(h, a, b) == 0 : box_bits(h, a) == box_bits(h, b);
}
