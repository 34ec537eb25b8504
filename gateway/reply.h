#pragma once
/* reply - answers that are one JSON document, errors among them */
#include <jansson.h>

#include "gateway/http/http.h"

/* Takes `json`. */
void reply_json(struct request *, int status, json_t *json);

/* Takes what is in `body`, which is a JSON document. */
void reply_body(struct request *, int status, struct buf *body);

/* `param` is the field that is wrong; NULL: none. */
void reply_error(struct request *, const struct error *, const char *param);

/* For http: writes a refusal's body and headers, without answering. */
void reply_explain(struct request *, const struct error *, struct buf *);

/* A member of it; null if it is absent. */
json_t *reply_text(struct str);
