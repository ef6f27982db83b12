//! The commands of `config/examples`, through the whole program, with a real HDF5 library and a real
//! database.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::hub::environment;
use crate::support::{Process, Room, wait_until};

fn python() -> PathBuf {
    environment().join("examples/bin/python")
}

/// A room in which runs are asked about by an example with these arguments.
fn room(example: &str, arguments: &[&str]) -> Room {
    let example = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config/examples")
        .join(example);
    let mut words = vec![example];
    words.extend(arguments.iter().map(PathBuf::from));
    let mut room = Room::bare(&format!(
        "[watch.h4]\ndirectory = \"data\"\nready = {{ marker = \"DONE\" }}\nsettle = \"0s\"\n\
         parameters = [{{ command = {words:?} }}]\nexisting = \"all\"\npoll_every = \"1s\"\n\
         [notebook.quick]\ntemplate = \"quick.ipynb\"\n\
         [destination.dir]\npath = \"notebooks\"\ndirectory = \"\"\n"
    ));
    let path = std::env::var("PATH").unwrap_or_default();
    let first = environment().join("examples/bin");
    let path = format!("{}:{path}", first.display());
    room.environment.push(("PATH", path));
    room
}

/// The parameters of a run's delivered notebook, by Python's own reading of the injected cell.
fn delivered(room: &Room, run: &str) -> Value {
    let program = "import json, sys\n\
        cells = json.load(open(sys.argv[1]))['cells']\n\
        found = {}\n\
        for cell in cells:\n\
        \x20   if 'injected-parameters' in cell['metadata'].get('tags', []):\n\
        \x20       exec(''.join(cell['source']), {}, found)\n\
        print(json.dumps(found).replace('NaN', '\"nan\"'))";
    let done = Command::new("python3")
        .args(["-c", program])
        .arg(room.path("notebooks").join(format!("{run}.ipynb")))
        .output()
        .expect("python3");
    serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
}

/// Waits until the only run waits for this.
fn await_reason(room: &Room, expected: &str) {
    let reason = || room.runs().first().map(|run| run["reason"].to_string());
    wait_until(20, expected, || {
        reason().is_some_and(|reason| reason.contains(expected))
    });
}

fn assert_has(found: &Value, expected: &Value) {
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&found[name], value, "{name} of {found}");
    }
}

#[test]
fn values_of_an_hdf5_file_reach_the_notebook_once_it_is_whole() {
    let file = "{run_dir}/scan.nxs";
    let mut room = room(
        "hdf5-run",
        &[
            file,
            "title=/entry/title",
            "events=/entry/events",
            "energy=/entry/beam/energy",
            "unit=/entry/beam/energy@units",
            "gain=/entry/gain",
        ],
    );
    room.start();
    let run = room.make_run(1);
    await_reason(
        &room,
        "command hdf5-run: it ended with exit status: 1: it can't be read",
    );
    fs::write(run.join("scan.nxs"), b"\x89HDF\r\n\x1a\n").expect("half a file");
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(room.count("delivered"), 0);
    let program = "import h5py, sys\n\
        with h5py.File(sys.argv[1], 'w') as f:\n\
        \x20   entry = f.create_group('entry')\n\
        \x20   entry['title'] = 'a \"scan\" of é'\n\
        \x20   entry['events'] = [12345678901]\n\
        \x20   entry.create_group('beam')['energy'] = 20.5\n\
        \x20   entry['beam/energy'].attrs['units'] = 'GeV'\n\
        \x20   entry['gain'] = [[1, 2], [3, float('nan')]]\n";
    let written = Command::new(python())
        .args(["-c", program])
        .arg(run.join("whole.nxs"))
        .status()
        .expect("python");
    assert!(written.success());
    fs::rename(run.join("whole.nxs"), run.join("scan.nxs")).expect("renamed");
    room.await_delivered(1, 30);
    let expected = serde_json::json!({
        "title": "a \"scan\" of é", "events": 12_345_678_901_u64, "energy": 20.5, "unit": "GeV",
        "gain": [[1.0, 2.0], [3.0, "nan"]]
    });
    assert_has(&delivered(&room, "run_000001"), &expected);
}

#[test]
fn keys_of_a_midas_dump_reach_the_notebook_from_json_and_xml() {
    let json = r#"{"/MIDAS version": "2.1", "Runinfo": {
        "State/key": {"type": 7}, "State": 1, "Run number/key": {"type": 7}, "Run number": 5,
        "Start time binary/key": {"type": 6}, "Start time binary": "0x0000002a",
        "Stop time": "Mon Nov 23"}, "Experiment": {"Run Parameters": {"Beam energy": 20.5}}}"#;
    let xml = r#"<?xml version="1.0" encoding="ISO-8859-1"?><odb root="/"><dir name="Runinfo">
        <key name="State" type="INT32">1</key><key name="Run number" type="INT32">5</key>
        <key name="Start time binary" type="UINT32">42</key>
        <key name="Stop time" type="STRING" size="32">Mon Nov 23</key></dir><dir name="Experiment">
        <dir name="Run Parameters"><key name="Beam energy" type="DOUBLE">20.5</key></dir></dir></odb>"#;
    for dump in [json, xml] {
        let arguments = [
            "{run_dir}/odb",
            "/Runinfo",
            "energy=/Experiment/Run Parameters/Beam energy",
        ];
        let mut room = room("midas-odb", &arguments);
        room.start();
        let run = room.make_run(5);
        fs::write(run.join("odb"), &dump[..dump.len() / 2]).expect("half a dump");
        await_reason(&room, "it can't be read: ");
        fs::write(run.join("odb"), dump).expect("a dump");
        room.await_delivered(1, 30);
        let expected = serde_json::json!({
            "State": 1, "Run_number": 5, "Start_time_binary": 42, "Stop_time": "Mon Nov 23",
            "energy": 20.5
        });
        assert_has(&delivered(&room, "run_000005"), &expected);
    }
}

/// A database on a socket of its own.
struct Database {
    dir: tempfile::TempDir,
    server: Process,
}

impl Database {
    fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let data = format!("--datadir={}/data", dir.path().display());
        let root = rustix::process::geteuid().is_root();
        let user = root.then_some("--user=root");
        let installed = Command::new("mariadb-install-db")
            .args([
                "--no-defaults",
                "--skip-test-db",
                "--auth-root-authentication-method=normal",
            ])
            .arg(&data)
            .args(user)
            .output()
            .expect("mariadb-install-db");
        assert!(installed.status.success(), "{installed:?}");
        let path = std::env::var("PATH").unwrap_or_default();
        let log = fs::File::create(dir.path().join("log")).expect("a log");
        let mut server = Command::new("mariadbd");
        server
            // Debian keeps it where only root looks.
            .env("PATH", format!("{path}:/usr/sbin"))
            .args(["--no-defaults", "--skip-networking", &data])
            .arg(format!("--socket={}", dir.path().join("socket").display()))
            .arg(format!("--pid-file={}", dir.path().join("pid").display()))
            .args(user)
            .stderr(log);
        let server = Process::start(&mut server);
        let database = Self { dir, server };
        wait_until(60, "the database answers", || database.ask("SELECT 1"));
        database
    }

    fn socket(&self) -> String {
        self.dir.path().join("socket").display().to_string()
    }

    /// Whether the database does it.
    fn ask(&self, sql: &str) -> bool {
        let asked = Command::new("mariadb")
            .args(["--no-defaults", "--user=root", "--socket", &self.socket()])
            .args(["--execute", sql])
            .output();
        asked.expect("mariadb").status.success()
    }

    /// The option file of a user who may only look.
    fn options(&self, password: &str) -> PathBuf {
        let file = self.dir.path().join("rundb.cnf");
        let options = format!(
            "[client]\nsocket = {}\ndatabase = rundb_v2\nuser = reader\npassword = {password}\n",
            self.socket()
        );
        fs::write(&file, options).expect("an option file");
        file
    }
}

/// The tables as H4DAQ's own program names their columns.
const TABLES: &str = "CREATE DATABASE rundb_v2 CHARACTER SET utf8mb4; USE rundb_v2;
    CREATE TABLE run_type (run_type_id INT PRIMARY KEY, run_type_description VARCHAR(64), ped_frequency INT);
    CREATE TABLE beam_configuration (beam_conf_id INT PRIMARY KEY, beam_particle VARCHAR(16), beam_energy DOUBLE);
    CREATE TABLE run (run_number INT PRIMARY KEY AUTO_INCREMENT, run_type_id INT, run_beam_id INT,
        run_nevents INT, table_horizontal_position DECIMAL(8,2), table_vertical_position DOUBLE,
        run_start_user_comment TEXT, run_end_user_comment TEXT);
    INSERT INTO run_type VALUES (1, 'PHYSICS', 0);
    INSERT INTO beam_configuration VALUES (3, 'Electron', 99.5);
    CREATE USER reader IDENTIFIED BY 'a secret'; GRANT SELECT ON rundb_v2.* TO reader;";

#[test]
fn a_runs_row_in_a_database_reaches_the_notebook_once_it_is_there() {
    let mut database = Database::start();
    assert!(database.ask(TABLES));
    let options = database.options("a wrong one");
    let mut room = room("mysql-run", &[&options.display().to_string(), "{run}"]);
    room.start();
    room.make_run(7);
    await_reason(&room, "Access denied");
    database.options("a secret");
    await_reason(&room, "there is no run 000007 in the database yet");
    let row =
        "INSERT INTO rundb_v2.run VALUES (7, 1, 3, 5000, -12.50, 3.25, 'it''s \"ok\"\\n日', NULL)";
    assert!(database.ask(row));
    room.await_delivered(1, 60);
    let expected = serde_json::json!({
        "run_type": "PHYSICS", "beam_particle": "Electron", "beam_energy": 99.5, "events": 5000,
        "table_x": -12.5, "table_y": 3.25, "start_comment": "it's \"ok\"\n日", "end_comment": null
    });
    assert_has(&delivered(&room, "run_000007"), &expected);
    assert!(!room.log().contains("a secret"));
    database.server.kill();
}
