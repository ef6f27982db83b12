#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

using instant = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

std::string hexed(const std::string &text) {
    std::string out;
    char pair[3];
    for (unsigned char byte : text) {
        std::snprintf(pair, sizeof pair, "%02x", byte);
        out += pair;
    }
    return out;
}
std::string dump(std::nullptr_t) { return "n"; }
std::string dump(bool v) { return v ? "t" : "f"; }
std::string dump(int v) { return "i" + std::to_string(v); }
std::string dump(long v) { return "i" + std::to_string(v); }
std::string dump(long long v) { return "i" + std::to_string(v); }
std::string dump(unsigned long long v) { return "i" + std::to_string(v); }
std::string dump(double v) {
    if (std::isnan(v)) return "dnan";
    if (std::isinf(v)) return v > 0 ? "dinf" : "d-inf";
    char text[64];
    std::snprintf(text, sizeof text, "d%.17g", v);
    return text;
}
std::string dump(const std::string &v) { return "s" + hexed(v); }
std::string dump(const instant &v) { return "T" + std::to_string(v.time_since_epoch().count()); }
template <class T> std::string dump(const std::map<std::string, T> &v);
template <class T> std::string dump(const std::vector<T> &v) {
    std::string out = "[";
    for (const auto &item : v) out += dump(static_cast<const T &>(item)) + ",";
    return out + "]";
}
std::string dump(const std::vector<bool> &v) {
    std::string out = "[";
    for (bool item : v) out += dump(item) + ",";
    return out + "]";
}
template <class T> std::string dump(const std::map<std::string, T> &v) {
    std::string out = "{";
    for (const auto &entry : v) out += hexed(entry.first) + ":" + dump(entry.second) + ",";
    return out + "}";
}
