package main

import "github.com/rtmkit/rtmkit/conformance/adapter"

type adapterSkeletonCommand struct {
	Language string `arg:"" name:"lang" help:"Language of the adapter: go, javascript or python."`
}

// Run prints the skeleton.
func (c *adapterSkeletonCommand) Run(a *app) error {
	text, err := adapter.Skeleton(c.Language)
	if err != nil {
		return fail(exitUsage, "%w", err)
	}
	_, err = a.stdout.Write(text)
	return err
}
