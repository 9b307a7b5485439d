package notice

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/disagg/disagg/pkg/shellwords"
)

// Target is where a notice goes.
type Target struct {
	Name    string   // as it was given; it has no secret
	Command []string // its program and arguments; none: it is a URL
	URL     *url.URL // http or https, with its options; nil: it is a command
	Slack   bool     // the message goes there, not the document
}

// Forms is what targets look like.
const Forms = "https://HOST/PATH?token_env=NAME, slack+https://HOST/?path_env=NAME, or a command"

// slackHosts take messages of Slack alone.
var slackHosts = []string{"hooks.slack.com", "hooks.slack-gov.com"}

// Options of a URL that are not sent: they say where a secret is.
var Options = []string{"token_env", "token_file", "password_env", "password_file", "path_env", "path_file"}

// isURL tells a URL from a command.
var isURL = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

// Parse reads a target.
func Parse(text string) (t Target, err error) {
	t = Target{Name: text}
	if isURL.MatchString(text) {
		err = t.readURL()
	} else if t.Command, err = shellwords.Split(text); err == nil && (len(t.Command) == 0 || t.Command[0] == "") {
		err = errors.New("cannot notify: the target is empty: want " + Forms)
	}
	if err != nil {
		return Target{}, err
	}
	return t, nil
}

func (t *Target) readURL() error {
	u, err := url.Parse(t.Name)
	if err != nil {
		return errors.New("cannot notify: the URL cannot be read: want " + Forms) // it may hold a secret
	}
	if _, has := u.User.Password(); has {
		return fmt.Errorf("cannot notify %s: a password in the URL would be stored: pass ?password_env=NAME or "+
			"?password_file=PATH", u.Redacted())
	}
	scheme, slack := strings.CutPrefix(u.Scheme, "slack+")
	u.Scheme, t.URL = scheme, u
	// Names of hosts have no case, and may end in a dot.
	slacks := slices.Contains(slackHosts, strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")))
	t.Slack = slack || slacks
	switch {
	case scheme != "http" && scheme != "https", u.Host == "", u.Fragment != "":
		return fmt.Errorf("cannot notify %q: want %s", t.Name, Forms)
	case relative(u.Query()) != "":
		return fmt.Errorf("cannot notify %s: %s is relative: want an absolute path, since it may be sent from "+
			"elsewhere", u.Redacted(), relative(u.Query()))
	case slacks && strings.Trim(u.Path, "/") != "":
		return fmt.Errorf("cannot notify %s: the path of a Slack webhook is a secret, and would be stored: pass "+
			"slack+https://%s/?path_env=NAME or ?path_file=PATH", u.Host, u.Host)
	}
	return nil
}

// relative is an option that names a file from where the process is; "" if none does.
func relative(q url.Values) string {
	for _, name := range Options {
		if file := q.Get(name); strings.HasSuffix(name, "_file") && file != "" && !strings.HasPrefix(file, "/") {
			return name
		}
	}
	return ""
}

// Endpoint is the server of the target, and what is asked of it: path and query, without options. A secret has the
// path, and perhaps the query, that take the place of the URL's; nil: there is none.
func (t Target) Endpoint(secret *url.URL) (base, path string) {
	u := *t.URL
	q := u.Query()
	for _, name := range Options {
		q.Del(name)
	}
	u.RawQuery = q.Encode()
	if secret != nil {
		u.Path, u.RawPath = "/"+strings.TrimLeft(secret.Path, "/"), "/"+strings.TrimLeft(secret.EscapedPath(), "/")
		u.RawQuery = cmp.Or(secret.RawQuery, u.RawQuery)
	}
	return u.Scheme + "://" + u.Host, u.RequestURI()
}
