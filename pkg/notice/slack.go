package notice

import "strings"

// Slack is the message of a notice, as webhooks of Slack, and of what is made like it, take it.
type Slack struct {
	Text string `json:"text"`
}

// slackEscapes are the characters that mean something to Slack. What is code cannot hold what ends it.
var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "`", "'")

// Slack is the notice as a message: the first line bold, the lines that explain as code.
func (n Notice) Slack() Slack {
	heading, rest, _ := strings.Cut(slackEscapes.Replace(n.Text), "\n")
	text := "*" + heading + "*\n" + rest
	if n.FirstCause != nil && len(n.FirstCause.Excerpt) > 0 {
		text += "\n```\n" + slackEscapes.Replace(strings.Join(n.FirstCause.Excerpt, "\n")) + "\n```"
	}
	return Slack{Text: text}
}
