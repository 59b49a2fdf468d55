/* ledger.c - the ledger file: made, written to and checked. */
#include "ledger.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum {
    BUSY_TIMEOUT_MS = 5000,
    APPLICATION_ID = 0x436f7046,      /* "CopF", in the header of a ledger's file */
    HEADER_BYTES = 100,               /* of an SQLite file; the application id is at 68 */
    HEADER_APPLICATION_ID = 68
};

/* Whatever an earlier run has left is replaced in one transaction, so that somebody who looks at
 * the file meanwhile is not disturbed. */
static const char begin[] = "BEGIN IMMEDIATE;";
static const char forget[] = "DROP TABLE IF EXISTS ledger;";
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS ledger ("
    "    id    TEXT PRIMARY KEY,"
    "    time  TEXT NOT NULL,"
    "    kind  TEXT NOT NULL CHECK (kind IN ('invoice', 'donation')),"
    "    party TEXT NOT NULL,"
    "    cents INTEGER NOT NULL CHECK (cents > 0)"
    ") STRICT, WITHOUT ROWID;"
    "PRAGMA application_id = 0x436f7046;"
    "COMMIT;"
    "PRAGMA journal_mode = WAL;";

enum statement { BEGIN, INSERT, FIND, COMMIT, STATEMENTS };
static const char *const statement_sql[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [INSERT] = "INSERT INTO ledger VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
    [FIND] = "SELECT time, kind, party, cents FROM ledger WHERE id = ?",
    [COMMIT] = "COMMIT",
};

struct ledger {
    sqlite3 *database;
    sqlite3_stmt *statements[STATEMENTS];
    const char *error;                /* said instead of SQLite's last one, or NULL */
};

/* ---- the file -------------------------------------------------------------------------- */

/* Whether the open file may be replaced: it is empty, or a ledger. */
static bool is_replaceable(int file)
{
    unsigned char header[HEADER_BYTES];
    ssize_t got = pread(file, header, sizeof header, 0);
    if (got == 0) return true;
    if (got != (ssize_t)sizeof header || memcmp(header, "SQLite format 3", 16) != 0) return false;
    const unsigned char *id = header + HEADER_APPLICATION_ID;
    return ((uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3]) ==
           APPLICATION_ID;
}

static int create_schema(const char *path, bool keep, char *why)
{
    struct ledger *ledger = ledger_open(path, why);
    if (ledger == NULL) return -1;
    int result = sqlite3_exec(ledger->database, begin, NULL, NULL, NULL);
    if (result == SQLITE_OK && !keep) {
        result = sqlite3_exec(ledger->database, forget, NULL, NULL, NULL);
    }
    if (result == SQLITE_OK) result = sqlite3_exec(ledger->database, schema, NULL, NULL, NULL);
    if (result != SQLITE_OK) snprintf(why, LEDGER_WHY_BYTES, "%s", ledger_error(ledger));
    ledger_close(ledger);
    return result == SQLITE_OK ? 0 : -1;
}

int ledger_create(const char *path, bool keep, int *ret_lock, char why[LEDGER_WHY_BYTES])
{
    /* The lock is another one than SQLite's own.  It stays open until the end, because to close
     * it would drop those. */
    if (path[0] == '\0' || path[0] == ':') {      /* SQLite's names for what is no file */
        snprintf(why, LEDGER_WHY_BYTES, "that is no file name");
        return -1;
    }
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0) goto system_error;
    if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) goto system_error;
        snprintf(why, LEDGER_WHY_BYTES, "another run is using it");
        goto close_lock;
    }
    if (!is_replaceable(lock)) {
        snprintf(why, LEDGER_WHY_BYTES, "it is there and no ledger of this program");
        goto close_lock;
    }
    if (create_schema(path, keep, why) != 0) goto close_lock;
    *ret_lock = lock;
    return 0;

system_error:
    snprintf(why, LEDGER_WHY_BYTES, "%s", strerror(errno));
close_lock:
    if (lock >= 0) close(lock);
    return -1;
}

void ledger_release(int lock)
{
    close(lock);
}

/* ---- a connection ---------------------------------------------------------------------- */

struct ledger *ledger_open(const char *path, char why[LEDGER_WHY_BYTES])
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    if (ledger == NULL) {
        snprintf(why, LEDGER_WHY_BYTES, "%s", strerror(ENOMEM));
        return NULL;
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path, &ledger->database, flags, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(ledger->database, BUSY_TIMEOUT_MS) != SQLITE_OK ||
        sqlite3_exec(ledger->database, "PRAGMA synchronous = NORMAL", NULL, NULL, NULL) !=
            SQLITE_OK) {
        snprintf(why, LEDGER_WHY_BYTES, "%s", sqlite3_errmsg(ledger->database));
        ledger_close(ledger);
        return NULL;
    }
    return ledger;
}

void ledger_close(struct ledger *ledger)
{
    for (int i = 0; i < STATEMENTS; i++) sqlite3_finalize(ledger->statements[i]);
    sqlite3_close_v2(ledger->database);
    free(ledger);
}

const char *ledger_error(struct ledger *ledger)
{
    return ledger->error != NULL ? ledger->error : sqlite3_errmsg(ledger->database);
}

/* The statement, compiled at its first use; NULL on failure. */
static sqlite3_stmt *prepare(struct ledger *ledger, enum statement which)
{
    sqlite3_stmt **statement = &ledger->statements[which];
    ledger->error = NULL;
    if (*statement == NULL) {
        sqlite3_prepare_v3(ledger->database, statement_sql[which], -1, SQLITE_PREPARE_PERSISTENT,
                           statement, NULL);
    }
    return *statement;
}

/* Runs a statement that has no rows. */
static int run(sqlite3_stmt *statement)
{
    if (statement == NULL) return -1;
    sqlite3_step(statement);
    return sqlite3_reset(statement) == SQLITE_OK ? 0 : -1;
}

int ledger_begin(struct ledger *ledger)
{
    return run(prepare(ledger, BEGIN));
}

int ledger_commit(struct ledger *ledger)
{
    return run(prepare(ledger, COMMIT));
}

static void bind_text(sqlite3_stmt *statement, int column, const char *text)
{
    sqlite3_bind_text(statement, column, text, -1, SQLITE_STATIC);
}

static bool column_is(sqlite3_stmt *statement, int column, const char *text)
{
    const char *found = (const char *)sqlite3_column_text(statement, column);
    return found != NULL && strcmp(found, text) == 0;
}

enum found { FOUND_ERROR, FOUND_NONE, FOUND_EQUAL, FOUND_DIFFERENT };

/* Looks up the request's entry and compares. */
static enum found find(struct ledger *ledger, const struct request *request)
{
    sqlite3_stmt *statement = prepare(ledger, FIND);
    if (statement == NULL) return FOUND_ERROR;
    bind_text(statement, 1, request->id);

    char clock[REQUEST_TEXT_BYTES];
    enum found found = FOUND_NONE;
    if (sqlite3_step(statement) == SQLITE_ROW) {
        bool equal = column_is(statement, 0, format_clock(request->second, clock)) &&
                     column_is(statement, 1, request_kind_name(request->kind)) &&
                     column_is(statement, 2, request->party) &&
                     sqlite3_column_int64(statement, 3) == request->cents;
        found = equal ? FOUND_EQUAL : FOUND_DIFFERENT;
    }
    return sqlite3_reset(statement) == SQLITE_OK ? found : FOUND_ERROR;
}

int ledger_insert(struct ledger *ledger, const struct request *request, bool *ret_new)
{
    assert(!sqlite3_get_autocommit(ledger->database));
    sqlite3_stmt *statement = prepare(ledger, INSERT);
    if (statement == NULL) return -1;
    char clock[REQUEST_TEXT_BYTES];
    bind_text(statement, 1, request->id);
    bind_text(statement, 2, format_clock(request->second, clock));
    bind_text(statement, 3, request_kind_name(request->kind));
    bind_text(statement, 4, request->party);
    sqlite3_bind_int64(statement, 5, request->cents);
    if (run(statement) != 0) return -1;

    bool is_new = sqlite3_changes(ledger->database) == 1;
    if (!is_new && find(ledger, request) != FOUND_EQUAL) {
        ledger->error = "the ledger has another entry of that id";
        return -1;
    }
    *ret_new = is_new;
    return 0;
}

/* ---- the check ------------------------------------------------------------------------- */

/* Reads the number of entries of a kind and their sum. */
static int sum_up(struct ledger *ledger, enum request_kind kind, struct ledger_check *check)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(ledger->database,
                           "SELECT COUNT(*), COALESCE(SUM(cents), 0) FROM ledger WHERE kind = ?",
                           -1, &statement, NULL) != SQLITE_OK) {
        return -1;
    }
    bind_text(statement, 1, request_kind_name(kind));
    bool row = sqlite3_step(statement) == SQLITE_ROW;
    if (row) {
        check->entries[kind] = (size_t)sqlite3_column_int64(statement, 0);
        check->cents[kind] = sqlite3_column_int64(statement, 1);
    }
    sqlite3_finalize(statement);
    return row ? 0 : -1;
}

static bool is_intact(struct ledger *ledger)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(ledger->database, "PRAGMA integrity_check", -1, &statement, NULL) !=
        SQLITE_OK) {
        return false;
    }
    bool intact = sqlite3_step(statement) == SQLITE_ROW && column_is(statement, 0, "ok");
    sqlite3_finalize(statement);
    return intact;
}

static int compare(struct ledger *ledger, const struct input *input, struct ledger_check *check)
{
    size_t entries = 0;
    for (int kind = 0; kind < REQUEST_KINDS; kind++) {
        if (sum_up(ledger, (enum request_kind)kind, check) != 0) return -1;
        entries += check->entries[kind];
    }
    for (size_t i = 0; i < input->count; i++) {
        switch (find(ledger, &input->requests[i])) {
        case FOUND_ERROR: return -1;
        case FOUND_NONE: check->missing++; break;
        case FOUND_DIFFERENT: check->different++; break;
        case FOUND_EQUAL: break;
        }
    }
    /* Ids are unique on both sides, so what was not found is all that can be too much. */
    check->unknown = entries - (input->count - check->missing);
    check->intact = is_intact(ledger);
    return 0;
}

int ledger_check(const char *path, const struct input *input, struct ledger_check *ret_check,
                 char why[LEDGER_WHY_BYTES])
{
    struct ledger *ledger = ledger_open(path, why);
    if (ledger == NULL) return -1;
    struct ledger_check check = { .holds = false };
    int error = compare(ledger, input, &check);
    if (error != 0) snprintf(why, LEDGER_WHY_BYTES, "%s", ledger_error(ledger));
    ledger_close(ledger);
    if (error != 0) return -1;

    check.holds = check.intact && check.missing == 0 && check.different == 0 && check.unknown == 0;
    for (int kind = 0; kind < REQUEST_KINDS; kind++) {
        check.holds = check.holds && check.entries[kind] == input->lines[kind] &&
                      check.cents[kind] == input->cents[kind];
    }
    *ret_check = check;
    return 0;
}
