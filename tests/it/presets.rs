//! Every preset, over the life of runs laid out as its source says.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Room, assert_one_whole_notebook_each, wait_until};

/// Each preset with the life of its runs, which is a test of the preset's name.
macro_rules! lives {
    ($($preset:literal => $life:ident,)*) => {
        const LIVES: &[&str] = &[$($preset),*];
        $(
            #[test]
            fn $life() {
                life::$life($preset);
            }
        )*
    };
}

lives! {
    "artdaq" => artdaq,
    "bluesky-jsonl" => bluesky_jsonl,
    "cern-h4daq" => cern_h4daq,
    "compass-caen" => compass_caen,
    "eudaq2" => eudaq2,
    "generic-date" => generic_date,
    "generic-dir" => generic_dir,
    "gwf" => gwf,
    "illumina" => illumina,
    "isis" => isis,
    "midas" => midas,
    "nanopore" => nanopore,
    "rcdaq" => rcdaq,
    "singular-g4" => singular_g4,
    "spool" => spool,
}

fn preset_files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/presets")
}

#[test]
fn all_presets_load_and_each_has_a_life_here() {
    let entries = fs::read_dir(preset_files()).expect("the presets");
    let names = entries.map(|entry| {
        let file = entry.expect("an entry").file_name();
        let file = file.to_str().expect("a name");
        file.strip_suffix(".toml").expect("only presets").to_owned()
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(names, LIVES);
    let watch = |name: &String| {
        format!(
            "[watch.of-{name}]\ndirectory = \"data\"\npreset = \"{name}\"\npoll_every = \"1s\"\n"
        )
    };
    let watches: String = names.iter().map(watch).collect();
    let room = Room::bare(&format!("{watches}{NOTEBOOK}"));
    let ended = room.run(&["check", "--offline"]);
    assert_eq!(ended.code, 0, "{ended:?}");
}

const NOTEBOOK: &str = "[notebook.quick]\ntemplate = \"quick.ipynb\"\nunknown_parameters = \"inject\"\n\
    [destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n";

/// A daemon over `data`, where an acquisition system writes its runs.
struct Site {
    room: Room,
    /// The runs that are over.
    over: RefCell<Vec<String>>,
}

impl Site {
    /// One whose watch has this preset.
    fn of(preset: &str) -> Self {
        Self::with(&format!("preset = \"{preset}\"\n"))
    }

    /// One whose watch has the very keys of this preset, but no patience: a few seconds of quiet,
    /// and next to none once there is a later run.
    fn hasty(preset: &str) -> Self {
        let text = fs::read_to_string(preset_files().join(format!("{preset}.toml")));
        let text = text.expect("the preset");
        let times = regex::Regex::new(r#"(quiet|superseded) = "\d+(?:s|min)""#).expect("valid");
        assert!(times.is_match(&text), "{preset} has nothing to hasten");
        let text = times.replace_all(&text, |found: &regex::Captures<'_>| match &found[1] {
            "quiet" => "quiet = \"1500ms\"",
            _ => "superseded = \"300ms\"",
        });
        Self::with(&text)
    }

    fn with(keys: &str) -> Self {
        let mut room = Room::bare(&format!(
            "[spool]\ndirectory = \"spool\"\n\
             [watch.daq]\ndirectory = \"data\"\nsettle = \"0s\"\npoll_every = \"200ms\"\nexisting = \"all\"\n{keys}\n{NOTEBOOK}"
        ));
        room.start();
        Self {
            room,
            over: RefCell::default(),
        }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.room.path("data").join(path)
    }

    /// Writes a file anew, making the directories that it lies in.
    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        fs::write(path, content).expect("a file");
    }

    fn append(&self, path: &str, content: &str) {
        let mut file = File::options()
            .append(true)
            .open(self.path(path))
            .expect("a file");
        file.write_all(content.as_bytes()).expect("written");
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.path(from), self.path(to)).expect("renamed");
    }

    /// All runs and their states, in order.
    fn states(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let runs = self.room.runs();
        let states: BTreeMap<_, _> = runs
            .iter()
            .map(|run| (text(&run["name"]), text(&run["state"])))
            .collect();
        assert_eq!(states.len(), runs.len(), "runs of one name: {runs:#?}");
        states
    }

    /// What the states are when these runs are being taken and no other is unfinished.
    fn expected(&self, running: &[&str]) -> BTreeMap<String, String> {
        let over = self.over.borrow();
        let over = over.iter().map(|name| (name.clone(), "ready".into()));
        let running = running
            .iter()
            .map(|name| ((*name).into(), "acquiring".into()));
        over.chain(running).collect()
    }

    /// Waits until these runs, and no others, are seen and not over.
    fn running(&self, names: &[&str]) {
        let expected = self.expected(names);
        let mut states = self.states();
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        while states != expected {
            assert!(
                std::time::Instant::now() < deadline,
                "{states:#?} instead of {expected:#?}"
            );
            std::thread::sleep(Duration::from_millis(50));
            states = self.states();
        }
    }

    /// Fails if any of these runs is over after the daemon has had the time for some looks.
    fn still_running(&self, names: &[&str]) {
        self.running(names);
        std::thread::sleep(Duration::from_millis(400));
        assert_eq!(self.states(), self.expected(names));
    }

    /// Waits until the run is over and its notebook delivered, with these parameters beside the
    /// built-in ones.
    fn over(&self, name: &str, parameters: &Value) {
        self.over_while(name, parameters, || {});
    }

    /// The same, while something goes on.
    fn over_while(&self, name: &str, parameters: &Value, mut meanwhile: impl FnMut()) {
        let mut run = Value::Null;
        wait_until(30, &format!("{name} is delivered"), || {
            meanwhile();
            let runs = self.room.runs();
            let found = runs.into_iter().find(|run| run["name"] == name);
            run = found.unwrap_or_default();
            let state = &run["jobs"][0]["state"];
            assert!(state != "held" && state != "failed", "{run:#}");
            state == "delivered"
        });
        assert_eq!(run["state"], "ready", "{run:#}");
        assert_eq!(run["jobs"].as_array().map(Vec::len), Some(1), "{run:#}");
        let mut found = run["parameters"].as_object().cloned().expect("parameters");
        for built_in in ["run_name", "run_dir", "watch", "date"] {
            if parameters.get(built_in).is_none() {
                found.shift_remove(built_in);
            }
        }
        assert_eq!(&Value::from(found), parameters, "{name}");
        self.over.borrow_mut().push(name.to_owned());
    }

    /// Fails if any of these runs is over while it grows for longer than quiet has to last.
    fn growing(&self, names: &[&str], mut grow: impl FnMut()) {
        for _ in 0..40 {
            grow();
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(self.states(), self.expected(names));
    }

    /// Fails unless, after some more listings and by another daemon, there are those runs that are
    /// over and these, and one whole notebook for each that is over.
    fn nothing_else(mut self, running: &[&str]) {
        self.still_running(running);
        self.room.kill();
        self.room.start();
        self.still_running(running);
        let over = self.over.borrow();
        assert_one_whole_notebook_each(&self.room.path("notebooks"), &over);
    }
}

/// The life of two or three runs of each system, with what is known to go wrong there.
mod life {
    use super::*;

    pub(super) fn generic_dir(preset: &str) {
        let site = Site::hasty(preset);
        site.write("run_000012/data.bin", "spill");
        site.write("run_000099", "a file is no run");
        site.write("calibration/data.bin", "nor is this");
        site.write(".run_000013.part/data.bin", "nor this");
        site.running(&["run_000012"]);
        // A copy by rsync: the marker comes first, by its name, and then some of the metadata.
        site.write("run_000012/run.json", "{\"beam\": \"e-\", \"ener");
        site.write("run_000012/DONE", "");
        site.still_running(&["run_000012"]);
        site.write(
            "run_000012/run.json",
            "{\"beam\": \"e-\", \"energy\": 50.0}",
        );
        let parameters = json!({"run": "000012", "beam": "e-", "energy": 50.0});
        site.over("run_000012", &parameters);
        // Without a marker, quiet ends a run.
        site.write("run-13/metadata.yaml", "beam: pi+\nenergy: 120\n");
        site.write("run-13/data.bin", "spill");
        site.growing(&["run-13"], || site.append("run-13/data.bin", "spill"));
        site.over(
            "run-13",
            &json!({"run": "13", "beam": "pi+", "energy": 120}),
        );
        site.nothing_else(&[]);
    }

    pub(super) fn generic_date(preset: &str) {
        let site = Site::of(preset);
        site.write("2026-11-21/run12/data.bin", "spill");
        site.write("2026-11-21/notes/data.bin", "no run");
        site.write("calibration/run12/data.bin", "no day");
        site.write("run11/DONE", "no day either");
        site.running(&["2026-11-21/run12"]);
        site.write("2026-11-21/run12/metadata.toml", "beam = \"e-\"\n");
        // Midnight: the new day is there with a run of the same number already in it.
        site.write("20261122.tmp/run_12/run.json", "{\"beam\": \"mu-\"}");
        site.rename("20261122.tmp", "20261122");
        site.still_running(&["2026-11-21/run12", "20261122/run_12"]);
        site.write("20261122/run_12/.complete", "");
        let parameters = json!({"date": "20261122", "run": "12", "beam": "mu-"});
        site.over("20261122/run_12", &parameters);
        site.write("2026-11-21/run12/done", "");
        let parameters = json!({"date": "2026-11-21", "run": "12", "beam": "e-"});
        site.over("2026-11-21/run12", &parameters);
        site.nothing_else(&[]);
    }

    pub(super) fn cern_h4daq(preset: &str) {
        let site = Site::hasty(preset);
        // The directory is there when the number is set, long before the first spill.
        fs::create_dir(site.path("9999")).expect("a run");
        site.running(&["9999"]);
        std::thread::sleep(Duration::from_secs(2));
        site.still_running(&["9999"]);
        let mut spill = 0;
        site.growing(&["9999"], || {
            spill += 1;
            site.write(&format!("9999/{spill:04}.raw"), "spill");
        });
        // The next number ends the run, though its last spill is still being written. Numbers have
        // no leading zeros, so as text this one would come first.
        site.write("10000/0001.raw.gz", "spill");
        site.over_while("9999", &json!({"run": "9999"}), || {
            site.append("9999/0040.raw", "more");
        });
        // Nobody takes a run after this one.
        site.over("10000", &json!({"run": "10000"}));
        // The number is set once more: the spills are overwritten, in the same directory.
        for spill in ["0001", "0002"] {
            site.write(&format!("9999/{spill}.raw"), "another spill");
        }
        site.nothing_else(&[]);
    }

    pub(super) fn eudaq2(preset: &str) {
        let site = Site::hasty(preset);
        let first = "261121093015_run000123";
        site.write(&format!("{first}.raw"), "");
        site.running(&[first]);
        site.growing(&[first], || site.append(&format!("{first}.raw"), "event"));
        let configuration = "[RunControl]\nEUDAQ_CTRL_PRODUCER_LAST_START = my_pd0\n\
            # what the beam is\nbeam = e-\n\n[Producer.my_pd0]\nEUDAQ_DC = my_dc\n";
        site.write("run000123.conf", configuration);
        // By the older pattern.
        site.write("run000124.raw", "event");
        let control = json!({"EUDAQ_CTRL_PRODUCER_LAST_START": "my_pd0", "beam": "e-"});
        let parameters = json!({"stamp": "261121093015", "run": "000123", "run_control": control});
        site.over_while(first, &parameters, || {
            site.append(&format!("{first}.raw"), "event");
        });
        site.over("run000124", &json!({"run": "000124"}));
        // Converted afterwards.
        site.write(&format!("{first}.slcio"), "converted");
        site.write(&format!("{first}.root"), "converted");
        site.nothing_else(&[]);
    }

    pub(super) fn rcdaq(preset: &str) {
        let site = Site::hasty(preset);
        site.write("rcdaq-00001234-0000.evt", "begin-run event");
        site.running(&["rcdaq-00001234.evt"]);
        // It is quiet in all files but the last.
        for segment in ["0001", "0002"] {
            let file = format!("rcdaq-00001234-{segment}.evt");
            site.write(&file, "");
            site.growing(&["rcdaq-00001234.evt"], || site.append(&file, "events"));
        }
        // Another type of run, by a rule of ten digits.
        site.write("cosmics_0000001235-0000.evt", "begin-run event");
        let parameters = json!({"type": "rcdaq", "run": "00001234"});
        site.over_while("rcdaq-00001234.evt", &parameters, || {
            site.append("rcdaq-00001234-0002.evt", "events");
        });
        let parameters = json!({"type": "cosmics", "run": "0000001235"});
        site.over("cosmics_0000001235.evt", &parameters);
        // A segment comes late, and the first ones are moved to tape.
        site.write("rcdaq-00001234-0003.evt", "end-run event");
        fs::remove_file(site.path("rcdaq-00001234-0000.evt")).expect("removed");
        site.nothing_else(&[]);
    }

    pub(super) fn midas(preset: &str) {
        let mut site = Site::hasty(preset);
        let xml = r#"<?xml version="1.0" encoding="ISO-8859-1"?>
<odb root="/" filename="run00123.xml" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <dir name="Experiment">
    <dir name="Run Parameters">
      <key name="Comment" type="STRING" size="32">first beam</key>
    </dir>
  </dir>
  <dir name="Runinfo">
    <key name="Run number" type="INT32">123</key>
    <key name="Start time" type="STRING" size="32">Sat Nov 21 09:30:15 2026</key>
    <key name="Stop time" type="STRING" size="32">Sat Nov 21 10:01:59 2026</key>
  </dir>
</odb>
"#;
        site.write("last.xml", xml);
        site.write("run00123.mid.lz4", "");
        site.running(&["run00123.mid"]);
        site.append("run00123.mid.lz4", "events");
        site.still_running(&["run00123.mid"]);
        // The dump is the end once it is whole.
        for half in ["", &xml[..400]] {
            site.write("run00123.xml", half);
            site.still_running(&["run00123.mid"]);
        }
        site.write("run00123.xml", xml);
        let parameters = json!({
            "run": "00123",
            "start_time": "Sat Nov 21 09:30:15 2026",
            "stop_time": "Sat Nov 21 10:01:59 2026",
            "comment": "first beam",
        });
        site.over("run00123.mid", &parameters);
        // Subruns are one run.
        for subrun in ["sub00000", "sub00001"] {
            site.write(&format!("run00124{subrun}.mid"), "events");
            site.still_running(&["run00124.mid"]);
        }
        let odb = r#"{"Runinfo": {"Start time/key": {"type": 12}, "Start time": "Sat Nov 21 10:05:00 2026"}}"#;
        site.write("run00124.json", odb);
        let parameters = json!({"run": "00124", "start_time": "Sat Nov 21 10:05:00 2026"});
        site.over("run00124.mid", &parameters);
        // Without a dump, the next run is the end.
        site.write("run00125.mid.gz", "events");
        site.still_running(&["run00125.mid"]);
        site.write("run00126.mid.gz", "events");
        site.over("run00125.mid", &json!({"run": "00125"}));
        // Packed afterwards, while nobody looks: the same run in other files.
        site.room.kill();
        for subrun in ["sub00000", "sub00001"] {
            site.write(&format!("run00124{subrun}.mid.bz2"), "packed");
            fs::remove_file(site.path(&format!("run00124{subrun}.mid"))).expect("removed");
        }
        site.nothing_else(&["run00126.mid"]);
    }

    pub(super) fn artdaq(preset: &str) {
        let site = Site::of(preset);
        let metadata = "Config name: standard tpc\nComponent #0: tpc01\nComponent #1: tpc02\n\
            DAQInterface directory: /home/daq/DAQInterface\n\n\
            # <git commit hash> <git commit comment> <git commit time> <git branch>\n\n\
            DAQInterface commit/version: 98c6cc84 \"Fix = and : in comments\" \"Fri Nov 20 2026\"\n\n\n\
            process management method: pmt\n\n\nprocess manager logfiles: \n\
            daq01:/scratch/pmt/pmt-1.log\n\nboardreader logfiles: \n/scratch/boardreader/tpc01.log\n";
        let record = |run: u32| {
            for (file, text) in [
                ("boot.txt", "PMT host: daq01\n"),
                ("settings.txt", "record_directory: /daq/run_records\n"),
                ("setup.txt", "setup artdaq\n"),
                ("tpc01.fcl", "daq: {}\n"),
                ("metadata.txt", metadata),
            ] {
                site.write(&format!("{run}/{file}"), text);
            }
        };
        record(19661);
        site.running(&["19661"]);
        let line = |run: u32, line: &str| site.append(&format!("{run}/metadata.txt"), line);
        line(
            19661,
            "\nDAQInterface start time: Sat Nov 21 09:30:15 CST 2026\n",
        );
        site.still_running(&["19661"]);
        line(19661, "\nTotal events: 12345\n");
        line(19661, "\nDAQInterface sto");
        site.still_running(&["19661"]);
        line(19661, "p time: Sat Nov 21 10:01:59 CST 2026\n");
        let parameters = json!({
            "run": "19661",
            "config": "standard tpc",
            "start_time": "Sat Nov 21 09:30:15 CST 2026",
            "stop_time": "Sat Nov 21 10:01:59 CST 2026",
            "total_events": 12345,
        });
        site.over("19661", &parameters);
        // This one's DAQ dies: the next run is delivered, it is not.
        record(19662);
        record(19663);
        line(
            19663,
            "\nDAQInterface stop time: Sat Nov 21 10:12:00 CST 2026\n",
        );
        let parameters = json!({
            "run": "19663",
            "config": "standard tpc",
            "stop_time": "Sat Nov 21 10:12:00 CST 2026",
        });
        site.over("19663", &parameters);
        site.nothing_else(&["19662"]);
    }

    pub(super) fn compass_caen(preset: &str) {
        let site = Site::hasty(preset);
        let settings = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<configuration>\n<board>\
            <id>DT5730-1</id><modelName>DT5730S</modelName><serialNumber>10123</serialNumber>\
            </board>\n</configuration>\n";
        site.write("run_12/settings.xml", settings);
        site.write("run_12/RAW/DataR_run_12_0.BIN", "");
        site.running(&["run_12"]);
        // It grows where only its size tells: no entry appears anywhere.
        site.growing(&["run_12"], || {
            site.append("run_12/RAW/DataR_run_12_0.BIN", "events");
        });
        let parameters = json!({"run": "12", "board": "DT5730S", "serial_number": 10123});
        site.over("run_12", &parameters);
        // Two boards have no one model.
        let board = "<board><modelName>V1730</modelName></board>";
        let settings = format!("<configuration>{board}{board}</configuration>");
        site.write("run13/settings.xml", settings);
        site.write("run13/FILTERED/DataF_run_13_0.BIN", "events");
        site.over("run13", &json!({"run": "13"}));
        // Opened and saved in CoMPASS afterwards.
        site.write("run_12/settings.xml", "<configuration/>");
        site.nothing_else(&[]);
    }

    pub(super) fn isis(preset: &str) {
        let site = Site::of(preset);
        let file =
            |cycle: &str, run: u32, end: &str| format!("data/cycle_{cycle}/MAR{run:08}.{end}");
        let name = |cycle: &str, run: u32| file(cycle, run, "nxs");
        let parameters = |cycle: &str, run: u32| json!({"cycle": cycle, "instrument": "MAR", "run": format!("{run:08}")});
        site.write("logs/lastrun.txt", "MARI 00099998 0\n");
        for (run, end) in [(99_999, "nxs"), (99_999, "raw"), (99_999, "log")] {
            site.write(&file("26_3", run, end), "data");
        }
        site.running(&[&name("26_3", 99_999)]);
        // It is rewritten in its place at each run, and so sometimes seen empty or half written.
        for half in ["", "MARI", "MARI 0009", "MARI 00099998"] {
            site.write("logs/lastrun.txt", half);
            site.still_running(&[&name("26_3", 99_999)]);
        }
        site.write("logs/lastrun.txt", "MARI 00099999 0\n");
        site.over(&name("26_3", 99_999), &parameters("26_3", 99_999));
        // A new cycle; the file names only the last of two runs that end together, without zeros.
        for run in [100_000, 100_001, 100_002] {
            site.write(&name("26_4", run), "data");
        }
        site.still_running(
            &[100_000, 100_001, 100_002]
                .map(|run| name("26_4", run))
                .each_ref()
                .map(String::as_str),
        );
        site.write("logs/lastrun.txt", "MARI 100001 0\n");
        for run in [100_000, 100_001] {
            site.over(&name("26_4", run), &parameters("26_4", run));
        }
        site.nothing_else(&[&name("26_4", 100_002)]);
    }

    pub(super) fn illumina(preset: &str) {
        let site = Site::hasty(preset);
        let first = "261121_A00766_0079_AHGV7DRX2";
        let info = format!(
            "<?xml version=\"1.0\"?>\n<RunInfo Version=\"5\">\n\t<Run Id=\"{first}\" Number=\"79\">\n\
             \t\t<Flowcell>HGV7DRX2</Flowcell>\n\t\t<Instrument>A00766</Instrument>\n\t\t<Reads>\n\
             \t\t\t<Read Number=\"1\" NumCycles=\"151\" IsIndexedRead=\"N\" />\n\
             \t\t\t<Read Number=\"2\" NumCycles=\"8\" IsIndexedRead=\"Y\" />\n\t\t</Reads>\n\
             \t\t<FlowcellLayout LaneCount=\"2\" SurfaceCount=\"2\" />\n\t</Run>\n</RunInfo>\n"
        );
        let calls = |run: &str, cycle: u32| {
            format!("{run}/Data/Intensities/BaseCalls/L001/C{cycle}.1/L001_1.cbcl")
        };
        site.write(&calls(first, 1), "calls");
        site.running(&[first]);
        site.write(&format!("{first}/RunInfo.xml"), &info);
        let run_parameters =
            "<RunParameters><ExperimentName>exome 7</ExperimentName></RunParameters>";
        site.write(&format!("{first}/RunParameters.xml"), run_parameters);
        // The instrument's analysis is over long before everything is copied, which goes on far
        // below the run.
        site.write(&format!("{first}/RTAComplete.txt"), "11:10:00");
        site.growing(&[first], || site.append(&calls(first, 1), "calls"));
        site.write(&format!("{first}/CopyComplete.txt"), "");
        let read = |number: u32, cycles: u32, index: &str| json!({"Number": number, "NumCycles": cycles, "IsIndexedRead": index});
        let parameters = json!({
            "date": "261121",
            "instrument": "A00766",
            "run": "0079",
            "flowcell": "AHGV7DRX2",
            "run_id": first,
            "lanes": 2,
            "reads": [read(1, 151, "N"), read(2, 8, "Y")],
            "experiment": "exome 7",
        });
        site.over(first, &parameters);
        // An older instrument, which ends with RTAComplete.txt; by rsync that comes before the
        // required RunInfo.xml.
        let second = "20261122_M00766_80_000000000-ABCDE";
        site.write(&format!("{second}/RTAComplete.txt"), "");
        std::thread::sleep(Duration::from_secs(2));
        site.still_running(&[second]);
        site.write(
            &format!("{second}/RunInfo.xml"),
            format!("<RunInfo><Run Id=\"{second}\"/></RunInfo>"),
        );
        let run_parameters =
            "<RunParameters><ExperimentName>panel</ExperimentName></RunParameters>";
        site.write(&format!("{second}/runParameters.xml"), run_parameters);
        let parameters = json!({
            "date": "20261122",
            "instrument": "M00766",
            "run": "80",
            "flowcell": "000000000-ABCDE",
            "run_id": second,
            "experiment": "panel",
        });
        site.over(second, &parameters);
        site.nothing_else(&[]);
    }

    pub(super) fn nanopore(preset: &str) {
        let site = Site::of(preset);
        let first = "KIDH_01/C2020/20261121_2151_X1_FAP48412_e78b393c";
        let second = "KIDH_01/C2021/20261121_2151_X2_FAP48413_0f1d7e9e";
        for run in [first, second] {
            site.write(&format!("{run}/pod5/part_0.pod5"), "reads");
        }
        // With data pooling, and what else lies on the three levels.
        site.write("KIDH_01/C2022/pod5/part_0.pod5", "reads");
        site.write("KIDH_01/notes.txt", "no sample");
        site.running(&[first, second]);
        let sheet = "protocol_run_id,position_id,flow_cell_id,sample_id,experiment_id,flow_cell_product_code,kit\n\
            378c00ac-c642-4a1f-a167-524c471186dd,X1,FAP48412,C2020,KIDH_01,FLO-MIN114,SQK-LSK114\n";
        site.write(
            &format!("{first}/sample_sheet_FAP48412_20261121_2151_e78b393c.csv"),
            sheet,
        );
        site.write(
            &format!("{first}/fastq_pass/FAP48412_pass_0.fastq.gz"),
            "reads",
        );
        // As rsync stages it.
        let staged = format!("{first}/.final_summary_FAP48412_e78b393c_af83c2b1.txt.yMzFP0");
        let summary = "instrument=MN36551\nposition=X1\nflow_cell_id=FAP48412\nsample_id=C2020\n\
            protocol=sequencing/sequencing_MIN114_DNA:FLO-MIN114:SQK-LSK114\n\
            started=2026-11-21T21:51:17.158001+03:00\nbasecalling_enabled=1\npod5_files_in_final_dest=685\n";
        site.write(&staged, summary);
        site.still_running(&[first, second]);
        site.rename(
            &staged,
            &format!("{first}/final_summary_FAP48412_e78b393c_af83c2b1.txt"),
        );
        let parameters = json!({
            "group": "KIDH_01",
            "sample": "C2020",
            "start": "20261121_2151",
            "device": "X1",
            "flowcell": "FAP48412",
            "short": "e78b393c",
            "experiment_id": "KIDH_01",
            "flow_cell_product_code": "FLO-MIN114",
            "kit": "SQK-LSK114",
            "instrument": "MN36551",
            "position": "X1",
            "flow_cell_id": "FAP48412",
            "sample_id": "C2020",
            "protocol": "sequencing/sequencing_MIN114_DNA:FLO-MIN114:SQK-LSK114",
            "started": "2026-11-21T21:51:17.158001+03:00",
            "basecalling_enabled": 1,
            "pod5_files_in_final_dest": 685,
        });
        site.over(first, &parameters);
        site.nothing_else(&[second]);
    }

    pub(super) fn singular_g4(preset: &str) {
        let site = Site::of(preset);
        let first = "261121_G4X1234_0057_2_FC000007A";
        site.write(
            &format!("{first}/unfiltered_fastqs/a_L001_R1_001.fastq.gz"),
            "reads",
        );
        site.write("261121_G4X1234_0057", "no flow cell");
        site.running(&[first]);
        let configuration =
            r#"{"flow_cell_id": "FC000007A", "operator": "ada", "read_lengths": [150, 150]}"#;
        site.write(&format!("{first}/run_config.json"), configuration);
        // Sequenced, not copied yet.
        site.write(&format!("{first}/run_complete.txt"), "");
        site.still_running(&[first]);
        site.write(
            &format!("{first}/demux_filtered_fastqs/a.fastq.gz"),
            "reads",
        );
        site.write(&format!("{first}/transfer_complete.txt"), "");
        let parameters = |position: &str, flowcell: &str| {
            json!({
                "date": "261121",
                "instrument": "G4X1234",
                "run": "0057",
                "position": position,
                "flowcell": flowcell,
                "flow_cell_id": flowcell,
                "operator": "ada",
                "read_lengths": [150, 150],
            })
        };
        site.over(first, &parameters("2", "FC000007A"));
        // The same run's other flow cell, copied on by something that takes its files in any order.
        let second = "261121_G4X1234_0057_3_FC000008A";
        site.write(&format!("{second}/transfer_complete.txt"), "");
        site.still_running(&[second]);
        let configuration = configuration.replace('7', "8");
        site.write(&format!("{second}/run_config.json"), configuration);
        site.over(second, &parameters("3", "FC000008A"));
        site.nothing_else(&[]);
    }

    pub(super) fn gwf(preset: &str) {
        let site = Site::of(preset);
        let frame = |gps: u32| format!("H-H1_R-{gps}-64.gwf");
        let parameters =
            |gps: u32| json!({"site": "H", "frame": "H1_R", "gps": gps.to_string(), "dur": "64"});
        // Each way to write a temporary name that is known.
        for (gps, before, after) in [
            (1_447_234_560, ".", ""),
            (1_447_234_624, ".", ".tmp"),
            (1_447_234_688, "", ".tmp"),
        ] {
            let temporary = format!("{before}{}{after}", frame(gps));
            site.write(&temporary, "IGWD");
            site.still_running(&[]);
            site.append(&temporary, "frame");
            site.rename(&temporary, &frame(gps));
            site.over(&frame(gps), &parameters(gps));
        }
        site.nothing_else(&[]);
    }

    pub(super) fn bluesky_jsonl(preset: &str) {
        let site = Site::of(preset);
        let first = "1f2e3d4c-5b6a-4798-8a9b-0c1d2e3f4a5b";
        // The writer names its file by the first part of the uid.
        let file = "1f2e3d4c.jsonl".to_owned();
        let start = format!(
            "{{\"name\": \"start\", \"doc\": {{\"uid\": \"{first}\", \"time\": 1795253415.25, \"scan_id\": 1, \"plan_name\": \"count\"}}}}\n"
        );
        site.write(&file, &start);
        site.running(&[&file]);
        let event = "{\"name\": \"event\", \"doc\": {\"seq_num\": 1, \"data\": {\"stop\": 1}}}\n";
        site.append(&file, event);
        site.append(&file, "{\"name\": \"stop\", \"doc\": {\"exit_sta");
        site.still_running(&[&file]);
        // As older versions of the writer leave it, without a last newline.
        site.append(
            &file,
            "tus\": \"success\", \"num_events\": {\"primary\": 1}}}",
        );
        let parameters = |file: &str, uid: &str, status: &str| {
            json!({
                "file": file.strip_suffix(".jsonl"),
                "uid": uid,
                "time": 1_795_253_415.25,
                "scan_id": 1,
                "plan_name": "count",
                "exit_status": status,
            })
        };
        site.over(&file, &parameters(&file, first, "success"));
        // `scan_id` begins again; this one is written as suitcase does, is long, and is aborted.
        let second = "2a2b2c2d-5b6a-4798-8a9b-0c1d2e3f4a5b";
        let file = format!("{second}.jsonl");
        let event = "[\"event\", {\"seq_num\": 1, \"data\": {\"det\": 0.5}}]\n";
        site.write(
            &file,
            format!(
                "[\"start\", {{\"uid\": \"{second}\", \"time\": 1795253415.25, \"scan_id\": 1, \"plan_name\": \"count\"}}]\n"
            ),
        );
        site.append(&file, &event.repeat((5 << 20) / event.len()));
        site.still_running(&[&file]);
        site.append(&file, "[\"stop\", {\"exit_status\": \"abort\"}]\n");
        site.over(&file, &parameters(&file, second, "abort"));
        site.nothing_else(&[]);
    }

    pub(super) fn spool(preset: &str) {
        let site = Site::of(preset);
        site.write("r0012/RAW-R0012-DA01-S00000.h5", "trains");
        site.write("r0013/RAW-R0013-DA01-S00000.h5", "trains");
        site.running(&["r0012", "r0013"]);
        site.write("r0012/DONE", "");
        site.still_running(&["r0012", "r0013"]);
        let announce = |file: &str, text: &str| {
            let spool = site.room.path("spool");
            fs::write(spool.join("tmp").join(file), text).expect("a trigger file");
            fs::rename(spool.join("tmp").join(file), spool.join(file)).expect("dropped");
        };
        let path = site.path("r0012");
        let path = path.to_str().expect("a path");
        // A bridge that repeats a message must not make a second run of it.
        let message = format!("{{\"path\": \"{path}\", \"parameters\": {{\"proposal\": 2112}}}}");
        announce("complete.json", &message);
        site.over("r0012", &json!({"proposal": 2112}));
        announce("complete.json", &message);
        announce("migrated.json", &message);
        site.still_running(&["r0013"]);
        let ended = site.room.run(&[
            "submit",
            site.path("r0013").to_str().expect("a path"),
            "-p",
            "proposal",
            "2113",
        ]);
        assert_eq!(ended.code, 0, "{ended:?}");
        site.over("r0013", &json!({"proposal": 2113}));
        site.nothing_else(&[]);
    }
}
