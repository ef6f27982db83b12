object Dumper {
  def hex(text: String): String = text.getBytes("UTF-8").map(b => "%02x".format(b & 0xff)).mkString
  def dump(v: Any): String = v match {
    case None => "n"
    case b: Boolean => if (b) "t" else "f"
    case i: Int => "i" + i
    case l: Long => "i" + l
    case b: BigInt => "i" + b
    case d: Double =>
      if (d.isNaN) "dnan" else if (d.isInfinity) (if (d > 0) "dinf" else "d-inf") else "d" + d.toString
    case s: String => "s" + hex(s)
    case t: java.time.Instant => "T" + (BigInt(t.getEpochSecond) * 1000000000 + t.getNano)
    case m: Map[_, _] => m.map { case (k, x) => hex(k.toString) + ":" + dump(x) + "," }.mkString("{", "", "}")
    case s: Seq[_] => s.map(x => dump(x) + ",").mkString("[", "", "]")
  }
}
