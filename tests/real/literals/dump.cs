using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;

static class Dumper {
    static string Hex(string text) {
        return BitConverter.ToString(Encoding.UTF8.GetBytes(text)).Replace("-", "").ToLower();
    }
    public static string Dump(object v) {
        var plain = CultureInfo.InvariantCulture;
        if (v == null) return "n";
        if (v is bool) return (bool)v ? "t" : "f";
        if (v is int || v is long || v is System.Numerics.BigInteger) return "i" + v;
        if (v is double) {
            var d = (double)v;
            if (double.IsNaN(d)) return "dnan";
            if (double.IsInfinity(d)) return d > 0 ? "dinf" : "d-inf";
            return "d" + (d == 0 && 1 / d < 0 ? "-" : "") + d.ToString("G17", plain);
        }
        if (v is string) return "s" + Hex((string)v);
        if (v is DateTimeOffset) return "T" + ((DateTimeOffset)v - new DateTimeOffset(1970, 1, 1, 0, 0, 0, TimeSpan.Zero)).Ticks + "00";
        var map = v as Dictionary<string, Object>;
        if (map != null) return "{" + string.Concat(map.Select(e => Hex(e.Key) + ":" + Dump(e.Value) + ",")) + "}";
        return "[" + string.Concat(((Array)v).Cast<object>().Select(item => Dump(item) + ",")) + "]";
    }
}
