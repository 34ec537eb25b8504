#include "workers/cli/queries.h"

#include "proto/limits.h"

#define TEXT(number) TEXT_(number)
#define TEXT_(number) #number

#define ROW                                                             \
	"session, number, cli_id, system, cwd, model, permission_mode," \
	" loads, n, asked, answer, position, turns, created_at,"        \
	" last_used_at, options, prompt_tokens, has_caches"

/* The row `d` of the file is what is known: nothing newer is in memory. */
#define IS_CURRENT                                              \
	"NOT EXISTS(SELECT 1 FROM main.conversations AS m"      \
	" WHERE m.session = d.session AND m.number = d.number)" \
	" AND NOT EXISTS(SELECT 1 FROM main.forgotten AS f"     \
	" WHERE f.session = d.session)"

#define LISTED                                                    \
	"session, number, cli_id, cwd, model, turns, created_at," \
	" last_used_at"

#define ANSWER_OF(db)                                               \
	"SELECT d.number, k.n AS n, k.asked, k.answer, k.position," \
	" d.last_used_at AS used FROM " db ".checkpoints AS k"      \
	" JOIN " db ".conversations AS d"                           \
	" ON d.session = k.session AND d.number = k.number"         \
	" WHERE k.session = ?1 AND k.answer = ?2"                   \
	" AND (?3 = 0 OR k.asked = 0 OR k.asked = ?3)"

#define PAIR_WRITE_ROW(db)                                                \
	"INSERT INTO " db ".conversations VALUES(?1, ?2, ?3, ?4, ?5, ?6," \
	" ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)"       \
	" ON CONFLICT(session, number) DO UPDATE SET cli_id = ?3,"        \
	" system = ?4, cwd = ?5, model = ?6, permission_mode = ?7,"       \
	" loads = ?8, n = ?9, asked = ?10, answer = ?11, position = ?12," \
	" turns = ?13, last_used_at = ?15, options = ?16,"                \
	" prompt_tokens = ?17, has_caches = ?18"
#define PAIR_DROP_CHECKPOINTS(db)                           \
	"DELETE FROM " db ".checkpoints WHERE session = ?1" \
	" AND number = ?2"                                  \
	" AND (n >= ?3 OR n <= ?3 - " TEXT(MAX_CHECKPOINTS) ")"
#define PAIR_ADD_CHECKPOINT(db) \
	"INSERT INTO " db ".checkpoints VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
#define PAIR_DROP_CONVERSATIONS(db)                                   \
	"DELETE FROM " db ".conversations WHERE session = ?1"         \
	" AND number IN (SELECT number FROM " db ".conversations"     \
	" WHERE session = ?1 ORDER BY last_used_at DESC, number DESC" \
	" LIMIT -1 OFFSET " TEXT(MAX_SESSION_CONVERSATIONS) ")"
#define PAIR_FORGET(db) "DELETE FROM " db ".conversations WHERE session = ?1"

#define PAIR(query)                     \
	[query] = PAIR_##query("disk"), \
	[query##_IN_MEMORY] = PAIR_##query("main")

const char *const queries[QUERIES] = {
	[FIND] = "SELECT " ROW ", 1 FROM main.conversations"
		 " WHERE session = ?1 UNION ALL"
		 " SELECT " ROW ", 0 FROM disk.conversations AS d"
		 " WHERE session = ?1 AND " IS_CURRENT
		 " ORDER BY last_used_at DESC, number DESC",
	[FIND_ANSWER] = ANSWER_OF("main") " UNION ALL " ANSWER_OF(
		"disk") " AND " IS_CURRENT
			" ORDER BY used DESC, n DESC LIMIT 1",
	[LIST] = "SELECT " LISTED " FROM main.conversations UNION ALL"
		 " SELECT " LISTED " FROM disk.conversations AS d"
		 " WHERE " IS_CURRENT " ORDER BY last_used_at DESC LIMIT ?1",
	PAIR(WRITE_ROW),
	PAIR(DROP_CHECKPOINTS),
	PAIR(ADD_CHECKPOINT),
	PAIR(DROP_CONVERSATIONS),
	PAIR(FORGET),
	[NOTE_FORGOTTEN] = "INSERT OR IGNORE INTO main.forgotten VALUES(?1)",
	[COPY_ROW] = "INSERT INTO main.conversations"
		     " SELECT * FROM disk.conversations AS d"
		     " WHERE session = ?1 AND number = ?2 AND " IS_CURRENT,
	[COPY_CHECKPOINTS] = "INSERT INTO main.checkpoints"
			     " SELECT * FROM disk.checkpoints"
			     " WHERE session = ?1 AND number = ?2",
	[DROP_SESSIONS] = "DELETE FROM main.conversations WHERE session IN"
			  " (SELECT session FROM main.conversations"
			  " GROUP BY session ORDER BY max(last_used_at) DESC"
			  " LIMIT -1 OFFSET " TEXT(MAX_UNSAVED_SESSIONS) ")",
	[DROP_OLDEST_SESSION] = "DELETE FROM main.conversations WHERE session ="
				" (SELECT session FROM main.conversations"
				" ORDER BY last_used_at LIMIT 1)",
};
