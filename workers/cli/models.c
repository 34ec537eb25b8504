#include "workers/cli/models.h"

#include <stdio.h>
#include <time.h>

#include "workers/capabilities.h"
#include "workers/io/json.h"

static void
keep_text(json_t *row, const json_t *told, const char *field)
{
	json_t *value = json_object_get(told, field);

	if (json_string_length(value))
		json_object_set(row, field, value);
}

static void
keep_count(json_t *row, const json_t *told, const char *field)
{
	json_t *value = json_object_get(told, field);

	if (json_is_integer(value) && json_integer_value(value) > 0)
		json_object_set(row, field, value);
}

/* `created` never is the time of asking: a model is not new each time.  Takes
 * `id`. */
static json_t *
row_with(json_t *id, const char *harness, uint64_t can)
{
	return json_pack("{s:o, s:s, s:i, s:s, s:o}", "id", id, "object",
			 "model", "created", 0, "owned_by", harness,
			 "capabilities", capabilities_in(can));
}

json_t *
models_own_row(const char *harness, uint64_t can)
{
	return row_with(json_string(harness), harness, can);
}

json_t *
models_row(const char *harness, uint64_t can, const json_t *told)
{
	struct str id = json_str(told, "id");
	json_t *row;

	if (json_is_string(told))
		id = (struct str){ json_string_value(told),
				   json_string_length(told) };
	if (!id.len)
		return NULL;
	row = row_with(json_sprintf("%s/" STR_FMT, harness, STR_ARG(id)),
		       harness, can);
	keep_text(row, told, "name");
	keep_text(row, told, "note");
	keep_count(row, told, "created");
	keep_count(row, told, "context_length");
	return row;
}

json_int_t
models_date(const char *date)
{
	struct tm tm = { .tm_mon = 1, .tm_mday = 1 };

	if (!date ||
	    sscanf(date, "%4d-%2d-%2d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday) <
		    1 ||
	    tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 ||
	    tm.tm_mday < 1 || tm.tm_mday > 31)
		return 0;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return (json_int_t)timegm(&tm);
}
