function dump(v) {
    if (v === null) return "n";
    if (v === true) return "t";
    if (v === false) return "f";
    if (typeof v === "bigint") return "i" + v;
    if (typeof v === "number") {
        if (Number.isNaN(v)) return "dnan";
        if (!Number.isFinite(v)) return v > 0 ? "dinf" : "d-inf";
        return "d" + (Object.is(v, -0) ? "-0" : v.toPrecision(17));
    }
    if (typeof v === "string") {
        return "s" + Buffer.from(v, "utf8").toString("hex");
    }
    if (v instanceof Date) return "T" + BigInt(v.getTime()) * 1000000n;
    if (Array.isArray(v)) return "[" + v.map(item => dump(item) + ",").join("") + "]";
    if (Object.getPrototypeOf(v) !== Object.prototype) return "foreign";
    return "{" + Object.keys(v).map(k => Buffer.from(k, "utf8").toString("hex") + ":" + dump(v[k]) + ",").join("") + "}";
}
