#pragma once
/* read_prompt - a prompt, from the text of a body */
#include "workers/cli/mended_json.h"
#include "workers/cli/prompt.h"

static inline bool
read_prompt(struct prompt *p, struct str body, const struct recipient *r,
	    struct error *e)
{
	json_error_t why;
	json_t *root = mended_json(body, &why);
	bool ok = root ? prompt_read(p, root, r, e)
		       : fail_with(e, ERR_INVALID, "the body is not JSON: %s",
				   why.text);

	json_decref(root);
	return ok;
}
