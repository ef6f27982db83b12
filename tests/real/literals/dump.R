hex <- function(x) paste(as.character(charToRaw(enc2utf8(x))), collapse = "")
dump_value <- function(v) {
  if (is.null(v)) return("n")
  if (inherits(v, "POSIXct")) return(sprintf("T%.0f", as.numeric(v) * 1e9))
  if (is.list(v)) {
    keys <- names(v)
    items <- vapply(v, dump_value, "")
    if (is.null(keys)) return(paste0("[", paste0(items, ",", recycle0 = TRUE, collapse = ""), "]"))
    hexed <- vapply(keys, hex, "")
    return(paste0("{", paste0(hexed, ":", items, ",", collapse = ""), "}"))
  }
  if (is.logical(v)) return(if (v) "t" else "f")
  if (is.numeric(v)) return(paste0("d", if (is.nan(v)) "nan" else if (is.infinite(v)) (if (v > 0) "inf" else "-inf") else sprintf("%.17g", v)))
  paste0("s", hex(v))
}
