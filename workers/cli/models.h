#pragma once
/*
 * models - what is listed of a harness's models
 *
 * A row has what clients insist on, and beside it what the CLI has told: fields
 * of the wrong type are left out, for they come from a program that is not
 * ours.
 */
#include <stdint.h>

#include <jansson.h>

/*
 * The row of a model, of which the CLI has told an id or an object: see
 * conversation_models().  NULL: it has no id.  `can` are the capabilities of
 * the harness, which are told by their names.
 */
json_t *models_row(const char *harness, uint64_t can, const json_t *told);

/* The row of the harness's name alone. */
json_t *models_own_row(const char *harness, uint64_t can);

/* "2025-05-14", "2025-05" or "2025" in Unix time; 0 for anything else. */
json_int_t models_date(const char *date);
