/* shape.h - the field names that alike records share.
 *
 * Programs make millions of maps with the same few sequences of keys. A shape is such a
 * sequence, held once; a record (map.h) is a reference to its shape and its values in the
 * shape's order. Hidden classes of this kind come from Self (Chambers, Ungar, Lee 1989); but
 * here nothing links a shape to those with one field more: all are found by a hash of their
 * whole sequence, in one table, so that taking a record in costs one look-up whatever its size.
 *
 *   [header: count][hash of the sequence][link][index or nil][key 0][key 1]…
 *
 * A shape never changes. It is shared from birth, so only the collector frees it, and so are
 * its keys, which other shapes and maps may use too. Shapes of more than SHAPE_FIELDS_SCANNED
 * fields have an index: a raw leaf with an open-addressed table of field numbers plus one.
 *
 * The table is weak: its chains run through the links of the shapes, which are granule numbers
 * written as integers and which the marker therefore does not follow. Between marking and
 * sweeping, shapes that no record uses are taken out (shape_table_drain). So while marking a
 * look-up shades what it finds, and while draining it does not find what is not marked. */
#ifndef CAIRN_HEAP_SHAPE_H
#define CAIRN_HEAP_SHAPE_H

#include "heap/heap_int.h"
#include "heap/map.h"

#define SHAPE_FIELDS_SCANNED 8
#define SHAPES_MAX_DEFAULT 65536

/* The hash of a sequence with one key more, in 62 bits. That of the empty sequence is 0. */
uint64_t shape_hash_next(uint64_t sequence, uint64_t key_hash);

size_t shape_field_count(const struct heap *h, value shape);
uint64_t shape_hash(const struct heap *h, value shape);
/* The keys, canonical (map_int.h). Valid as long as the shape. */
const value *shape_keys(const struct heap *h, value shape);

/* The number of a field, or -1. */
int shape_field(const struct heap *h, value shape, const struct map_key *key);

/* The shape of `count` canonical keys, followed by `last` if that is not NULL; `hash` is that
 * of the whole sequence. VALUE_ABSENT if there is none. */
value shape_find(struct heap *h, const value *keys, size_t count, const struct map_key *last,
                 uint64_t hash);

/* Whether the table takes one more. */
bool shape_table_has_room(struct heap *h);

/* Makes the shape of 1..MAP_FIELDS_MAX keys that differ; it must not exist, and there must be
 * room. Takes the keys over, which become shared. VALUE_ABSENT when memory is short, and they
 * are still the caller's. */
warn_unused value shape_make(struct heap *h, const value *keys, size_t count, uint64_t hash);

#endif
