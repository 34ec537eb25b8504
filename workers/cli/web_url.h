#pragma once
/*
 * web_url - may the address of an image be handed on?
 *
 * We fetch nothing ourselves.  The vendor gets the URL as it is; but who hands
 * it to him could be made to fetch it on the way, from where the vendor could
 * not.  So an URL whose host is not a public one is refused, and so is whatever
 * two programs might read in two ways: numbers in unusual forms, a host with
 * escapes or beyond ASCII, somebody's name before it, a backslash.
 *
 * A name is not looked up.
 */
#include "proto/str.h"

/* Whether it leads to a web server that everybody can reach; if not, *problem
 * says what it is: "has an image URL with ...". */
bool web_url_is_public(struct str url, const char **problem);
