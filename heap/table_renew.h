/* table_renew.h - dictionaries of sym columns made anew, with only the symbols that rows have.
 *
 *     table_renewal_open(t, &r)
 *     table_renewal_step(r, end_ns) until it returns 0
 *     if table_renewal_ready(r): table_renewal_publish(r, value)
 *     table_renewal_close(r)
 *
 * A dictionary only grows, since every version of the table uses it: so what rows had once stays
 * in it. Where a quarter of a dictionary, and TABLE_RENEWAL_SYMBOLS_MIN symbols, are of no row,
 * deleted ones included, a table is made beside the old one that has a new dictionary and shares
 * all other columns (table_alter.h). Pinned versions keep the old one. */
#ifndef CAIRN_HEAP_TABLE_RENEW_H
#define CAIRN_HEAP_TABLE_RENEW_H

#include "heap/table.h"

#define TABLE_RENEWAL_SYMBOLS_MIN 1024

struct table_renewal;

/* The caller holds the table, and nobody else changes it until table_renewal_close. 0, -ENOMEM. */
warn_unused int table_renewal_open(struct table *t, struct table_renewal **r);
/* Works until about `end_ns` on the clock. 1: there is more to do; 0; -ENOMEM. */
warn_unused int table_renewal_step(struct table_renewal *r, uint64_t end_ns);
/* After that: whether there is a table to publish. There is none if nothing is to be gained, or if
 * somebody holds codes (table_hold_codes). */
bool table_renewal_ready(const struct table_renewal *r);
/* `v` is the table's value. Never fails. Returns the table that it has from now on. */
struct table *table_renewal_publish(struct table_renewal *r, value v);
void table_renewal_close(struct table_renewal *r);

#endif
