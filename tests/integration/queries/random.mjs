// Random numbers from a seed, so that whatever is found can be found again.

/** SplitMix64 (Steele, Lea, Flood 2014), as in bench/measure.h. */
export class Random {
    constructor(seed) { this.state = BigInt(seed); }

    bits() {
        const u64 = (n) => BigInt.asUintN(64, n);
        let z = this.state = u64(this.state + 0x9e3779b97f4a7c15n);
        z = u64((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
        z = u64((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
        return z ^ (z >> 31n);
    }
    unit() { return Number(this.bits() >> 11n) * 2 ** -53; }
    below(n) { return Math.floor(this.unit() * n); }
    between(low, high) { return low + this.below(high - low + 1); }
    chance(p) { return this.unit() < p; }
    pick(list) { return list[this.below(list.length)]; }
    /** Some of a list, in its order or not. */
    sample(list, count) {
        const left = [...list];
        const out = [];
        while (out.length < count && left.length) out.push(left.splice(this.below(left.length), 1)[0]);
        return out;
    }
}
