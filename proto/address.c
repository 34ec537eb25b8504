#include "proto/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "proto/buf.h"

bool
address_is_loopback(const struct sockaddr *a)
{
	const struct sockaddr_in *v4 = (const void *)a;
	const struct sockaddr_in6 *v6 = (const void *)a;

	if (a->sa_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static struct str
without_brackets(struct str host)
{
	if (host.len >= 2 && host.ptr[0] == '[' &&
	    host.ptr[host.len - 1] == ']')
		return (struct str){ host.ptr + 1, host.len - 2 };
	return host;
}

bool
host_is_loopback(struct str host)
{
	auto_free char *name = copy(without_brackets(host));
	struct sockaddr_storage a = { 0 };

	if (!name)
		return false;
	if (!strcasecmp(name, "localhost"))
		return true;
	if (inet_pton(AF_INET, name, &((struct sockaddr_in *)&a)->sin_addr) ==
	    1)
		a.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, name,
			   &((struct sockaddr_in6 *)&a)->sin6_addr) == 1)
		a.ss_family = AF_INET6;
	return address_is_loopback((const struct sockaddr *)&a);
}
