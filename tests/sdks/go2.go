package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func main() {
	seconds, _ := time.ParseDuration(os.Args[1] + "s")
	made, err := config.LoadDefaultConfig(context.TODO())
	if err != nil {
		panic(err)
	}
	client := sts.NewFromConfig(made, sts.WithEndpointResolver(
		sts.EndpointResolverFromURL(os.Getenv("AWS_ENDPOINT_URL"))))
	for end := time.Now().Add(seconds); time.Now().Before(end); time.Sleep(time.Second / 2) {
		who, err := client.GetCallerIdentity(context.TODO(), &sts.GetCallerIdentityInput{})
		if err != nil {
			panic(err)
		}
		fmt.Println("go-2", *who.Arn)
	}
}
