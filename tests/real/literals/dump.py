import datetime

def dump(v):
    if v is None:
        return "n"
    if isinstance(v, bool):
        return "t" if v else "f"
    if isinstance(v, int):
        return "i" + str(v)
    if isinstance(v, float):
        return "d" + repr(v)
    if isinstance(v, str):
        return "s" + v.encode("utf-8").hex()
    if isinstance(v, datetime.datetime):
        since = v - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return "T%d" % (since // datetime.timedelta(microseconds=1) * 1000)
    if isinstance(v, list):
        return "[" + "".join(dump(item) + "," for item in v) + "]"
    return "{" + "".join(k.encode("utf-8").hex() + ":" + dump(v[k]) + "," for k in v) + "}"
