#include "tests/unit/answers.h"

#include <strings.h>

struct answered answered;

void __wrap_request_answer(struct request *, int status, struct buf *body);

void
__wrap_request_answer(struct request *r, int status, struct buf *body)
{
	free(answered.body);
	answered.status = status;
	answered.body = copy(buf_str(body));
	answered.count++;
	buf_fini(body);
}

void
answers_init(struct request *r)
{
	*r = (struct request){ .headers = BUF_INIT(8192),
			       .method = (char *)"GET" };
	answered.status = answered.count = 0;
}

void
answers_fini(struct request *r)
{
	buf_fini(&r->headers);
	free(answered.body);
	answered.body = NULL;
}

const char *
answers_header(const struct request *r, const char *name)
{
	const char *at = r->headers.ptr, *end = at + r->headers.len;

	while (at < end) {
		const char *value = at + strlen(at) + 1;

		if (!strcasecmp(at, name))
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}

json_t *
answers_json(void)
{
	json_t *json = json_loads(answered.body, 0, NULL);

	assert_non_null(json);
	return json;
}
