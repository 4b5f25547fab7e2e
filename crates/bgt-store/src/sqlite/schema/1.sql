-- Times are milliseconds since 1970 in UTC, texts are legible: the file is for people with `sqlite3` too.

CREATE TABLE runs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of acceptance; never used twice, or a page could show it twice
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  pattern TEXT NOT NULL,
  queue TEXT NOT NULL,
  priority INTEGER NOT NULL,
  labels TEXT,                        -- a JSON object
  unique_key TEXT,
  status TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  host TEXT,                          -- who holds it
  token INTEGER NOT NULL,             -- the fencing token of its latest lease
  created_at INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  ready INTEGER NOT NULL,             -- whether not_before had passed when it was last looked
  started_at INTEGER,
  ended_at INTEGER,
  cancel_requests INTEGER NOT NULL,
  progress TEXT,                      -- a JSON object
  error TEXT,
  events INTEGER NOT NULL             -- how many there are
) STRICT;

-- In the order in which they are claimed.
CREATE INDEX runs_ready ON runs (queue, priority DESC, seq) WHERE status = 'queued' AND ready = 1;
CREATE INDEX runs_delayed ON runs (queue, not_before) WHERE status = 'queued' AND ready = 0;
CREATE INDEX runs_running ON runs (queue, host) WHERE status = 'running';
CREATE INDEX runs_to_cancel ON runs (host) WHERE status = 'running' AND cancel_requests > 0;
CREATE UNIQUE INDEX runs_unique_key ON runs (unique_key) WHERE unique_key IS NOT NULL AND ended_at IS NULL;
CREATE INDEX runs_ended ON runs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_over ON runs (status, seq) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_by_name ON runs (name, seq);

-- Apart from what changes with every step of a run.
CREATE TABLE payloads (run INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE results (run INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT;

CREATE TABLE labels (
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  run INTEGER NOT NULL,
  PRIMARY KEY (key, value, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
  run INTEGER NOT NULL,
  number INTEGER NOT NULL,
  host TEXT NOT NULL,
  token INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  status TEXT,
  error TEXT,
  PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;

-- From the second on: the first, that the run was queued, is in its row.
CREATE TABLE events (
  run INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  host TEXT,
  status TEXT,
  text TEXT,
  PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

-- For people: what happened to each run, in order, with times in UTC.
CREATE VIEW history (run, seq, at, kind, attempt, host, status, text) AS
  SELECT id, 1, datetime(created_at / 1000, 'unixepoch'), 'queued', 0, NULL, NULL, NULL FROM runs
  UNION ALL
  SELECT runs.id, events.seq, datetime(events.at / 1000, 'unixepoch'), events.kind, events.attempt, events.host,
    events.status, events.text
  FROM events JOIN runs ON runs.seq = events.run;

CREATE TABLE hosts (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  pid INTEGER,
  started_at INTEGER NOT NULL,
  heard_at INTEGER NOT NULL,
  ended_at INTEGER,
  lease INTEGER NOT NULL,             -- milliseconds
  boot TEXT,                          -- which start of the machine the next two count from
  heard INTEGER NOT NULL,             -- milliseconds since the machine started
  expires INTEGER NOT NULL,
  resumed INTEGER                     -- when it was heard of again, if its lease was over then
) STRICT, WITHOUT ROWID;

CREATE TABLE slots (
  schedule TEXT NOT NULL,
  at INTEGER NOT NULL,
  host TEXT NOT NULL,
  token INTEGER NOT NULL,
  claimed_at INTEGER NOT NULL,
  ended_at INTEGER,
  status TEXT,
  error TEXT,
  PRIMARY KEY (schedule, at)
) STRICT, WITHOUT ROWID;

-- The latest slot of each schedule that was forgotten.
CREATE TABLE forgotten_slots (schedule TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE journals (
  journal TEXT NOT NULL,
  key TEXT NOT NULL,
  status TEXT NOT NULL,
  value BLOB NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (journal, key)
) STRICT, WITHOUT ROWID;

-- The latest fencing token.
CREATE TABLE token (value INTEGER NOT NULL) STRICT;
INSERT INTO token VALUES (0);
