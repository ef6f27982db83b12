def dump(v)
  case v
  when nil then "n"
  when true then "t"
  when false then "f"
  when Integer then "i#{v}"
  when Float
    return "dnan" if v.nan?
    return(v > 0 ? "dinf" : "d-inf") if v.infinite?
    "d%.17g" % v
  when String then "s" + v.encode("UTF-8").unpack1("H*")
  when Time then "T#{v.to_i * 1_000_000_000 + v.nsec}"
  when Array then "[" + v.map { |item| dump(item) + "," }.join + "]"
  else "{" + v.map { |key, item| key.unpack1("H*") + ":" + dump(item) + "," }.join + "}"
  end
end
