-- A notebook has conversations; `moved` is the greatest `opened` of one when it was renamed.
CREATE TABLE IF NOT EXISTS notebooks (
    id TEXT PRIMARY KEY, path TEXT, origin TEXT, seen TEXT NOT NULL, moved INTEGER
);
CREATE INDEX IF NOT EXISTS notebooks_path ON notebooks(path);

-- `opened` grows with each that is begun or gone back to: a number, for clocks are set back.
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, notebook TEXT, created TEXT NOT NULL,
    active TEXT NOT NULL DEFAULT 'main', opened INTEGER
);
CREATE INDEX IF NOT EXISTS conversations_notebook ON conversations(notebook);

-- Named pointers to a tip.
CREATE TABLE IF NOT EXISTS branches (
    conversation TEXT NOT NULL, name TEXT NOT NULL, tip TEXT, PRIMARY KEY (conversation, name)
) WITHOUT ROWID;

-- Which turns a conversation has taken along from others.
CREATE TABLE IF NOT EXISTS taken (
    conversation TEXT NOT NULL, turn TEXT NOT NULL, PRIMARY KEY (conversation, turn)
) WITHOUT ROWID;

-- What is asked of many turns; what is read of one is apart, so that opening a conversation of ten
-- thousand turns reads no answer. `owner` is the process that is writing the turn, null once it is
-- finished; `tokens` and `thinking` estimate what it adds to the messages; `key` is never used
-- twice, so it can name the turn in the search index.
CREATE TABLE IF NOT EXISTS turns (
    key INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    conversation TEXT NOT NULL, parent TEXT, cell_id TEXT, created TEXT NOT NULL,
    day TEXT NOT NULL, status TEXT NOT NULL, finish_reason TEXT, provider TEXT NOT NULL,
    model TEXT NOT NULL, served_model TEXT, request_hash TEXT, prompt_hash TEXT NOT NULL,
    history INTEGER NOT NULL, from_file INTEGER NOT NULL, answered INTEGER NOT NULL,
    tokens INTEGER NOT NULL, thinking INTEGER, prompt_tokens INTEGER, cache_hit_tokens INTEGER,
    completion_tokens INTEGER, reasoning_tokens INTEGER, cost TEXT, currency TEXT,
    owner TEXT, updated REAL NOT NULL, indexed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS turns_conversation ON turns(conversation, key);
CREATE INDEX IF NOT EXISTS turns_day ON turns(day);
CREATE INDEX IF NOT EXISTS turns_request ON turns(request_hash, key)
    WHERE request_hash IS NOT NULL;
CREATE INDEX IF NOT EXISTS turns_owner ON turns(owner) WHERE owner IS NOT NULL;
CREATE TABLE IF NOT EXISTS bodies (key INTEGER PRIMARY KEY, body TEXT NOT NULL);

-- What the user was told or has decided of a notebook, each state once.
CREATE TABLE IF NOT EXISTS told (
    notebook TEXT NOT NULL, what TEXT NOT NULL, PRIMARY KEY (notebook, what)
) WITHOUT ROWID;

-- What ghost text cost, a row for each notebook, day, model and currency; no text of it.
CREATE TABLE IF NOT EXISTS ghost_texts (
    notebook TEXT NOT NULL, day TEXT NOT NULL, model TEXT NOT NULL, currency TEXT NOT NULL,
    asked INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, cache_hit_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL, cost TEXT NOT NULL,
    PRIMARY KEY (notebook, day, model, currency)
) WITHOUT ROWID;

-- Answers to the requests of jobs, by the hash of what was sent; see answers.py.
CREATE TABLE IF NOT EXISTS answers (
    key TEXT NOT NULL, whole INTEGER NOT NULL, notebook TEXT NOT NULL, day TEXT NOT NULL,
    model TEXT NOT NULL, currency TEXT NOT NULL, asked INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL, cache_hit_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
    cost TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS answers_key ON answers(key) WHERE whole;
CREATE INDEX IF NOT EXISTS answers_notebook ON answers(notebook);

-- Full text of prompts, answers and thinking; the words alone, the text is in bodies.
CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5(
    prompt, answer, reasoning, content='', tokenize='unicode61 remove_diacritics 2'
);
