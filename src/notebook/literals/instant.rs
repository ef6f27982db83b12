//! Instants: a date and time with an offset, RFC 3339.

/// An instant.
#[derive(Clone, Debug)]
pub(in crate::notebook) struct Instant(jiff::Timestamp);

impl Instant {
    pub(in crate::notebook) fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    /// UTC as `2026-11-21T05:27:45` plus as many digits as are needed; at most `digits` are held.
    fn written(&self, between: char, digits: u32) -> Result<String, String> {
        let unit = 10_i32.pow(9 - digits);
        if self.0.subsec_nanosecond() % unit != 0 {
            return Err(format!(
                "the language holds {digits} digits of a second, not those of {}",
                self.0
            ));
        }
        let text = self.0.to_string();
        Ok(text
            .trim_end_matches('Z')
            .replace('T', &between.to_string()))
    }

    /// With all nine digits or none left out of groups of three, as Python 3.7 wants it.
    fn grouped(&self, digits: u32) -> Result<String, String> {
        let text = self.written('T', digits)?;
        Ok(match text.split_once('.') {
            Some((whole, fraction)) => {
                format!("{whole}.{fraction:0<width$}", width = digits as usize)
            }
            None => text,
        })
    }
}

pub(in crate::notebook) fn python(instant: &Instant) -> Result<String, String> {
    let text = instant.grouped(6)?;
    Ok(format!(
        "__import__(\"datetime\").datetime.fromisoformat(\"{text}+00:00\")"
    ))
}

pub(in crate::notebook) fn r(instant: &Instant) -> Result<String, String> {
    Ok(format!(
        "as.POSIXct(\"{}\", tz = \"UTC\")",
        instant.written(' ', 6)?
    ))
}

pub(in crate::notebook) fn scala(instant: &Instant) -> Result<String, String> {
    Ok(format!(
        "java.time.Instant.parse(\"{}Z\")",
        instant.written('T', 9)?
    ))
}

pub(in crate::notebook) fn julia(instant: &Instant) -> Result<String, String> {
    Ok(format!("Dates.DateTime(\"{}\")", instant.written('T', 3)?))
}

pub(in crate::notebook) fn matlab(instant: &Instant) -> Result<String, String> {
    let text = instant.grouped(9)?;
    let fraction = if text.contains('.') { ".SSSSSSSSS" } else { "" };
    Ok(format!(
        "datetime('{text}', 'InputFormat', 'yyyy-MM-dd''T''HH:mm:ss{fraction}', 'TimeZone', 'UTC')"
    ))
}

pub(in crate::notebook) fn octave(_: &Instant) -> Result<String, String> {
    Err("Octave has no type for a date and time".into())
}

/// C# and F#.
pub(in crate::notebook) fn dotnet(instant: &Instant) -> Result<String, String> {
    let culture = "System.Globalization.CultureInfo.InvariantCulture";
    Ok(format!(
        "System.DateTimeOffset.Parse(\"{}Z\", {culture})",
        instant.written('T', 7)?
    ))
}

pub(in crate::notebook) fn powershell(instant: &Instant) -> Result<String, String> {
    let culture = "[cultureinfo]::InvariantCulture";
    Ok(format!(
        "[DateTimeOffset]::Parse('{}Z', {culture})",
        instant.written('T', 7)?
    ))
}

pub(in crate::notebook) fn bash(instant: &Instant) -> Result<String, String> {
    Ok(format!("{}Z", instant.written('T', 9)?))
}

pub(in crate::notebook) fn javascript(instant: &Instant) -> Result<String, String> {
    Ok(format!("new Date(\"{}Z\")", instant.grouped(3)?))
}

pub(in crate::notebook) fn ruby(instant: &Instant) -> Result<String, String> {
    let (seconds, nanoseconds) = (instant.0.as_second(), instant.0.subsec_nanosecond());
    Ok(format!("Time.at({seconds}, {nanoseconds}, :nsec).utc"))
}

pub(in crate::notebook) fn cpp(instant: &Instant) -> Result<String, String> {
    let clock = "std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>";
    match i64::try_from(instant.0.as_nanosecond()) {
        Ok(nanoseconds) => Ok(format!(
            "{clock}(std::chrono::nanoseconds({nanoseconds}LL))"
        )),
        Err(_) => Err("C++ counts nanoseconds from 1677 to 2262".into()),
    }
}
