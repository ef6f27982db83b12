1;
function text = hexed(bytes)
  text = sprintf("%02x", double(bytes));
end
function text = dump_value(v)
  if iscell(v)
    text = "[";
    for k = 1:numel(v)
      text = [text dump_value(v{k}) ","];
    end
    text = [text "]"];
  elseif isobject(v)
    text = "{";
    names = keys(v);
    for k = 1:numel(names)
      text = [text hexed(names{k}) ":" dump_value(v(names{k})) ","];
    end
    text = [text "}"];
  elseif ischar(v)
    text = ["s" hexed(v)];
  elseif islogical(v)
    text = "f";
    if v
      text = "t";
    end
  elseif isempty(v)
    text = "n";
  elseif isnan(v)
    text = "dnan";
  elseif isinf(v)
    text = "d-inf";
    if v > 0
      text = "dinf";
    end
  else
    text = sprintf("d%.17g", v);
  end
end
